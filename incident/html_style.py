"""How a review in HTML looks, on a screen and on paper. State is told by words and shapes, colour only helps."""

STYLE = """
:root { --ink: #1b1f24; --soft: #57606a; --line: #d0d7de; --bad: #b42318; --warn: #9a6700; --good: #1a7f37;
  --info: #57606a; --paper: #ffffff; --tint: #f6f8fa; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.5rem 4rem; max-width: 72rem; color: var(--ink); background: var(--paper);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "Liberation Sans", Arial, sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 1rem; } h2 { margin: 2.2rem 0 .6rem; padding-bottom: .2rem;
  border-bottom: 2px solid var(--line); } h3 { margin: 1.3rem 0 .4rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; margin: 0; }
dt { font-weight: 600; } dd { margin: 0; overflow-wrap: anywhere; } dd ul { margin: .2rem 0; padding-left: 1.2rem; }
table { width: 100%; border-collapse: collapse; margin: .4rem 0; }
th, td { text-align: left; vertical-align: top; padding: .3rem .5rem; border-bottom: 1px solid var(--line);
  overflow-wrap: anywhere; }
th { background: var(--tint); white-space: nowrap; overflow-wrap: normal; }
td:first-child, th:first-child { white-space: nowrap; }
tr.bad td:first-child { border-left: 4px solid var(--bad); }
tr.warn td:first-child { border-left: 4px solid var(--warn); }
tr.good td:first-child { border-left: 4px solid var(--good); }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: var(--tint); border: 1px solid var(--line);
  padding: .6rem; font: 12.5px/1.45 ui-monospace, "DejaVu Sans Mono", "Liberation Mono", Consolas, monospace; }
figure { margin: .6rem 0; } figcaption { color: var(--soft); font-size: .9rem; }
svg, img { display: block; width: 100%; height: auto; } img { border: 1px solid var(--line); }
.people { border-left: 3px solid var(--line); padding-left: .8rem; } .todo { color: var(--soft); font-style: italic; }
.drill { position: fixed; inset: 0; display: flex; align-items: center; justify-content: center; pointer-events: none;
  font-size: 22vmin; font-weight: 800; letter-spacing: .1em; color: #b4231814; transform: rotate(-24deg); z-index: 1; }
.banner { border: 3px solid var(--bad); color: var(--bad); font-weight: 700; padding: .5rem .8rem; margin: 0 0 1rem; }
text { font: 11px system-ui, "Liberation Sans", Arial, sans-serif; fill: var(--ink); }
@page { size: A4; margin: 14mm 12mm; }
@media print {
  body { max-width: none; padding: 0; font-size: 10.5pt; } h2, h3 { break-after: avoid; }
  tr, figure, dl > * { break-inside: avoid; } thead { display: table-header-group; } pre { font-size: 8.5pt; }
  a { color: inherit; } * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
