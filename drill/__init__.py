"""A simulated platform that speaks the real protocols on loopback, and scenarios to practise on."""
