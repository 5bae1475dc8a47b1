"""Answer what screens ask about one incident."""

from functools import cache
from importlib import resources

from gexdesk.engine.incidents.incidents import Incidents
from gexdesk.model.look.incident import EntryView, IncidentLook, IncidentSeen, MemberView


class IncidentLooks:
    """Tell everything about an incident, with the runbook's section of its kind."""

    def __init__(self, incidents: Incidents) -> None:
        self._incidents = incidents

    async def answer(self, question: IncidentLook) -> IncidentSeen:
        """Return it; errors as in ``Incidents.find``."""
        incident = await self._incidents.find(question.number)
        return IncidentSeen(
            incident=self._incidents.view_of(incident),
            timeline=tuple(EntryView(e.at, e.who, e.what, e.text) for e in incident.timeline),
            members=tuple(
                MemberView(
                    c.subject, c.text, c.kind, c.severity, c.source, c.symbols, member.first_at, member.last_at, member.present
                )
                for member in incident.members.values()
                for c in (member.condition,)
            ),
            runbook=runbook().get(incident.kind, ""),
        )


@cache
def runbook() -> dict[str, str]:
    """Return the runbook's sections by their headings, Markdown."""
    text = resources.files("gexdesk").joinpath("runbook.md").read_text("utf-8")
    sections = text.split("\n## ")[1:]
    return {heading.strip(): body.strip() for heading, _, body in (section.partition("\n") for section in sections)}
