"""What the READMEs show of the clients is what is compiled and tested."""

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


def test_the_python_snippet_is_the_examples_text() -> None:
    blocks = re.findall(
        r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S
    )
    assert blocks
    example = ROOT / "clients" / "python" / "examples" / "driver_totals.py"
    for block in blocks:
        assert textwrap.indent(block, "    ") in example.read_text(), block
