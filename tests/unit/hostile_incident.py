"""An incident with hostile text in every field there is, for exports to be opened by real parsers of their formats."""

from __future__ import annotations

from incident.checks import check_draft
from incident.dossier import Dossier, dossier
from incident.entry import Kind, Source, Status
from incident.fills import Fills
from incident.intake import take_in
from incident.kept import Kept, Screen, Sign
from incident.standard import NEUTRAL, Standard, Topic
from incident.standing import after, declared, facts_draft, role_draft, status_draft
from incident.updates import delivery_draft, missed_draft, update_draft
from tests.unit.act_drafts import intent, outcome
from tests.unit.incident_entries import BEGAN, amendment, entry, incident_with, note, retraction

MINUTE = 60_000


def hostile_texts(url: str) -> list[str]:
    """What tries to run, to load from ``url``, to break out, or to calculate."""
    return [
        f"<script>fetch('{url}/script');document.title='OWNED'</script>",
        f"<img src={url}/img onerror=\"document.title='OWNED'\"><svg onload=\"document.title='OWNED'\">",
        f"</td></tr></table></pre></style></title><iframe src={url}/f></iframe><link rel=stylesheet href={url}/c>",
        f"![pixel]({url}/md.png) <{url}/auto> [a](javascript:alert(1)) [b]({url}/link)",
        f'<meta http-equiv=refresh content="0;url={url}/meta"><base href={url}/><object data={url}/o>',
        f'"onmouseover="document.title=\'OWNED\'" style="background:url({url}/style)"',
        "=cmd|' /C calc'!A1",
        '+1+1";=HYPERLINK("http://evil","x")',
        "-2+3,=1+1\n@SUM(A1)\t=1",
        "\t=1+1",
        "＝1+1",
        "| a | b |\n|---|---|\n```\n# h\n<!-- warroom:end impact-assessment -->",
        "\x1b[2J\x1b]0;x\x07\u202eevil\u2066\u200b\u2028\ufeff",
        "👩\u200d💻 naïve 中文 עברית",
    ]


def hostile_dossier(url: str, *, drill: bool = False) -> Dossier:
    """Everything an export can say, with one of `hostile_texts` in each place."""
    texts = hostile_texts(url)
    every = "\n".join(texts)
    drafts = [
        *(note(f"x{text}", author=f"x{text}"[:100]) for text in texts),
        *(note(text, kind=Kind.FOLLOWUP) for text in texts),
        *(
            note(text, source=Source.PROBE, kind=Kind.OBSERVATION, level="bad", fold=f"workload/{n}/x",
                 evidence={text: text, "desired": 3, "ready": n % 4}, happened_at=BEGAN - n * MINUTE)
            for n, text in enumerate(texts)
        ),
        note(every, kind=Kind.PIN, evidence={"log": every}),
        intent(title=texts[0], commands=tuple(texts)),
        outcome("e2", text=every),
        update_draft(every, texts[1], next_due=BEGAN + MINUTE, channels=texts, fields={"impact": every}),
        missed_draft(10**13, text=every),
        facts_draft(texts[2], services=texts[:3], impact=every, facts={"complaints": True}),
        role_draft(texts[3][:40], texts[4], texts[5]),
        check_draft(texts[1], texts[2], "done", texts[3], text=texts[4], note=every),
    ]  # fmt: skip
    incident, entries = incident_with([take_in(draft) for draft in drafts], title=texts[0], cluster=every, drill=drill)
    update = next(one for one in entries if one.kind is Kind.UPDATE)
    act = next(one for one in entries if one.kind is Kind.MITIGATION)
    for draft in (
        delivery_draft(update.id, texts[0], kind=texts[1], ok=False, detail=every, attempts=3, text=every),
        outcome(act.id, text=every),
        amendment("e2", every, BEGAN, author=texts[0]),
        retraction("e3", every),
        status_draft(Status.RESOLVED, texts[0], every),
    ):
        entries.append(entry(len(entries) + 1, take_in(draft), entries[-1].hash))
    incident = declared(entries[0])
    for one in entries[1:]:
        incident = after(incident, one)
    filled = every.replace("<!-- warroom:end", "<!-- warroom:") + "\n"
    nodes = {text[:60]: (50.0, 60.0) for text in texts}
    standard = Standard(
        levels=NEUTRAL.levels,
        topics=(Topic(title=texts[0], questions=tuple(texts)),),
        mandatory=tuple(texts),
        roles={texts[3][:40]: texts[0]},
        channels={texts[0]: texts[1]},
        checklists={texts[1]: texts[2]},
    )
    return dossier(
        incident,
        entries,
        standard,
        Fills(incident=incident.id, texts={"impact-assessment": filled, "old": filled}),
        Kept(
            [Sign(BEGAN + n * MINUTE, n % 3, 40, nodes) for n in range(5)],
            [Screen("declared", f"<svg xmlns='http://www.w3.org/2000/svg'><script>{texts[0]}</script>"
                    f"<image href='{url}/svg.png'/><style>@import url({url}/svg.css)</style></svg>")],
            texts,
        ),
    )  # fmt: skip
