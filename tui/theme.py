"""The console's own themes: dark, light and high contrast. Textual's others work too.

Colours carry no meaning alone: every state also has a mark and a word.
"""

from __future__ import annotations

from textual.theme import Theme

DARK = Theme(
    name="warroom",
    dark=True,
    primary="#6cb6ff",
    secondary="#8b949e",
    accent="#6cb6ff",
    foreground="#d5dbe3",
    background="#0d1117",
    surface="#0d1117",
    panel="#161b22",
    success="#7cc47f",
    warning="#f2b84b",
    error="#ff6b66",
    variables={
        "border": "#6cb6ff",
        "border-blurred": "#3a424d",
        "text-muted": "#8b949e",
        "production": "#c8102e",
        "block-cursor-background": "#1f3a5c",
        "block-cursor-foreground": "#ffffff",
        "input-selection-background": "#2f5d94",
        "scrollbar": "#30363d",
        "scrollbar-background": "#0d1117",
    },
)

LIGHT = Theme(
    name="warroom-light",
    dark=False,
    primary="#0550ae",
    secondary="#57606a",
    accent="#0550ae",
    foreground="#1f2328",
    background="#ffffff",
    surface="#ffffff",
    panel="#f0f3f6",
    success="#116329",
    warning="#7d4e00",
    error="#b3001b",
    variables={
        "border": "#0550ae",
        "border-blurred": "#b6bec7",
        "text-muted": "#57606a",
        "production": "#b3001b",
        "block-cursor-background": "#cfe3ff",
        "block-cursor-foreground": "#000000",
        "scrollbar": "#d0d7de",
        "scrollbar-background": "#ffffff",
    },
)

# Every pair here has a contrast of at least 7:1 on black (WCAG AAA), and the cursor is inverted.
HIGH_CONTRAST = Theme(
    name="warroom-high-contrast",
    dark=True,
    primary="#66ccff",
    secondary="#ffffff",
    accent="#66ccff",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#000000",
    success="#66ff66",
    warning="#ffff00",
    error="#ff8080",
    variables={
        "border": "#ffff00",
        "border-blurred": "#ffffff",
        "text-muted": "#e0e0e0",
        "production": "#b00000",
        "block-cursor-background": "#ffffff",
        "block-cursor-foreground": "#000000",
        "scrollbar": "#ffffff",
        "scrollbar-background": "#000000",
    },
)

THEMES = (DARK, LIGHT, HIGH_CONTRAST)
