"""How most scenarios begin."""

from conformance.messages import chunk, end
from conformance.play import Play
from conformance.stage import Stage
from conformance.views import TALLY


def live_with_two_rows(play: Play) -> Stage:
    """At position 5, with a=1 and b=2."""
    stage = play.accept()
    stage.send(
        chunk(TALLY.put("a", 1), TALLY.put("b", 2), name="s1", at=5), end(5)
    )
    return stage
