"""What the READMEs show of the C++ client is what is compiled and tested."""

import re
import textwrap

import pytest

from lint.tree import ROOT

_EXAMPLES = ROOT / "clients" / "cpp" / "examples"


@pytest.mark.parametrize("path", ["README.md", "clients/cpp/README.md"])
def test_snippets_are_the_examples_text(path: str) -> None:
    blocks = re.findall(
        r"^```cpp\n(.*?)^```$", (ROOT / path).read_text(), re.M | re.S
    )
    assert blocks
    examples = [each.read_text() for each in _EXAMPLES.glob("*.cc")]
    for block in blocks:
        body = textwrap.indent(block, "  ")
        assert any(body in text for text in examples), block
