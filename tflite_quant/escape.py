"""How text from files is written where it could do harm: terminals, logs, C, make, SARIF, tables.

Names, descriptions and options inside a model, and names of files, come from strangers. All of them
pass one of these functions on their way out.
"""

from __future__ import annotations

import html
import re
from urllib.parse import quote

# CI systems obey ::command:: at the start of a line, and ##[command] and ##vso[command] anywhere.
_BRACKETS = re.compile(r"##(?=[A-Za-z]*\[)")
_COLONS = re.compile(r"::(?=[A-Za-z-])")
_SPECIAL_TO_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>()|~!])")
_SPECIAL_TO_MAKE = re.compile(r"(\\*)([ \t#:%]|$)")
_ROOM_FOR_A_HEAD = 20
"""Characters of a name from which on its beginning is shown, too."""


def for_terminal(text: str) -> str:
    r"""Return a line that neither a terminal nor a CI system obeys.

    Examples
    --------
    >>> print(for_terminal("a\n::error::b \x1b[31m"))
    a\n:\x3aerror::b \x1b[31m
    """
    if not text.isprintable():
        text = "".join(c if c.isprintable() else escaped(c) for c in text)
    return without_commands(text)


def escaped(character: str) -> str:
    r"""Return an escape of Python in a character's place.

    Examples
    --------
    >>> print(escaped("\x1b"), escaped("\u2028"))
    \x1b \u2028
    """
    return character.encode("unicode_escape", "surrogatepass").decode()


def shortened(text: str, room: int) -> str:
    """Return a text without its middle, where names differ least.

    Examples
    --------
    >>> shortened("model/block_1/conv2d/BiasAdd", 22), shortened("model/conv2d/BiasAdd", 13)
    ('model/...nv2d/BiasAdd', '...2d/BiasAdd')
    """
    if len(text) <= room:
        return text
    kept = max(room - 3, 2)
    # Names differ at their ends more than where they begin.
    head = kept // 3 if room >= _ROOM_FOR_A_HEAD else 0
    return f"{text[:head]}...{text[len(text) - (kept - head) :]}"


def without_commands(text: str) -> str:
    r"""Return a text in which no CI system finds a command.

    Examples
    --------
    >>> print(without_commands("::error::x"), without_commands("##[error]x ##vso[y]z a::b"))
    :\x3aerror::x #\x23[error]x #\x23vso[y]z a::b
    """
    if "::" in text:
        text = "\n".join(map(_without_colons, text.split("\n")))
    return _BRACKETS.sub(r"#\\x23", text)


def _without_colons(line: str) -> str:
    """Break all colons that others follow; one expression for both would take quadratic time."""
    last = line.rfind("::")
    return _COLONS.sub(lambda match: ":\\x3a" if match.start() < last else "::", line)


def for_c_comment(text: str) -> str:
    """Return a text for a comment of C, with all but a few harmless characters as %XX.

    No character passes that could end a comment, begin another, continue a line or be a trigraph.

    Examples
    --------
    >>> for_c_comment("*/ int x; /* caf\u00e9")
    '%2A%2F int x; %2F%2A caf%C3%A9'
    """
    return quote(text, safe=" ,:;()[]=+'", errors="backslashreplace")


def for_c_string(text: str) -> str:
    r"""Return a text for a string literal of C and C++, as UTF-8.

    All but letters, digits and a few more are octal escapes of three digits, which nothing that
    follows can be taken for a part of.

    Examples
    --------
    >>> print(for_c_string('a"b\\'))
    a\042b\134
    """
    encoded = text.encode("utf-8", "backslashreplace").decode("latin-1")
    return re.sub(r"[^A-Za-z0-9_.-]", lambda match: f"\\{ord(match[0]):03o}", encoded)


def for_c_include(path: str) -> str:
    r"""Return a path for an `#include` of C, where nothing can be escaped.

    Raises
    ------
    ValueError
        The path has a quote, a backslash, a trigraph, or a character that is not printed.

    Examples
    --------
    >>> for_c_include("../include/my net.h")
    '../include/my net.h'
    """
    if not path.isprintable() or '"' in path or "\\" in path or "??" in path:
        raise ValueError(f"C cannot include the file {path!r}")
    return path


def for_make(path: str) -> str:
    r"""Return a path as a rule of make or ninja has it.

    Raises
    ------
    ValueError
        The path has a line break, which no rule can have.

    Examples
    --------
    >>> print(for_make("my model.h"))
    my\ model.h
    """
    if len(path.splitlines()) > 1 or path != path.rstrip("\r\n"):
        raise ValueError(f"a rule of make cannot name the file {path!r}")
    drive = path[:2] if re.match(r"[A-Za-z]:[\\/]", path) else ""
    # A backslash counts as itself unless it stands before something that is escaped.
    rest = _SPECIAL_TO_MAKE.sub(
        lambda match: match[1] * 2 + (f"\\{match[2]}" if match[2] else ""), path[len(drive) :]
    )
    return drive + rest.replace("$", "$$")


def for_github(text: str, is_property: bool = False) -> str:
    r"""Return a text for a command of GitHub Actions: its message, or one of its properties.

    Source: actions/toolkit, packages/core/src/command.ts.

    Examples
    --------
    >>> print(for_github("a\n100 %"), for_github("a,b:c", is_property=True))
    a\n100 %25 a%2Cb%3Ac
    """
    line = "".join(c if c.isprintable() else escaped(c) for c in text).replace("%", "%25")
    line = _BRACKETS.sub(r"#\\x23", line)
    return line.replace(":", "%3A").replace(",", "%2C") if is_property else line


def for_json(text: str) -> str:
    r"""Return JSON text with the same data in which no CI system finds a command.

    Examples
    --------
    >>> print(for_json('{"name": "##[error]x"}'))
    {"name": "#\u0023[error]x"}
    """
    return _BRACKETS.sub(r"#\\u0023", text)


def for_csv(text: str) -> str:
    """Return a text that a spreadsheet does not take for a formula.

    Examples
    --------
    >>> print(for_csv("=1+2"), for_csv("conv2d"))
    '=1+2 conv2d
    """
    line = for_terminal(text)
    return f"'{line}" if line[:1] in ("=", "+", "-", "@") else line


def for_markdown(text: str) -> str:
    r"""Return a text that stays text in a table of Markdown.

    Examples
    --------
    >>> print(for_markdown("a|b_c<i>"))
    a\|b\_c\<i\>
    """
    return _SPECIAL_TO_MARKDOWN.sub(r"\\\1", for_terminal(text))


def for_html(text: str) -> str:
    """Return a text that stays text in HTML.

    Examples
    --------
    >>> print(for_html("<b>"))
    &lt;b&gt;
    """
    return html.escape(for_terminal(text))


def for_sarif(text: str) -> str:
    r"""Return a text in which no viewer of SARIF finds a link or a placeholder.

    Examples
    --------
    >>> print(for_sarif("[x](http://y) {0}"))
    \[x\](http://y) {{0}}
    """
    text = re.sub(r"\[([^\[\]]*)\](?=\()", r"\\[\1\\]", for_terminal(text))
    return re.sub(r"\{(\d+)\}", r"{{\1}}", text)
