"""The grammar of XLSForm expressions: elementpath's XPath 1.0, cut to what a form can mean.

elementpath splits and parses (20 µs an expression); axes, node tests and its own functions are
left out, so that any name may be a question's and any name before a parenthesis is a call.
We do not use its evaluation: it takes 21 µs for `$a = 'si' and $b > 17` where closures over
its tree take 0.7, and it misses XForms' cases (`1 = '1'`, `'' > 1`, `1 mod 0`, `round(x, 2)`).
"""

import re

from elementpath import ElementPathError, XPath1Parser
from elementpath.xpath_tokens import NameToken, XPathToken

from dialogs.faults import Said, said
from dialogs.functions import LogicError

Token = XPathToken
MAX_LENGTH = 10_000  # characters
MAX_BRACKETS = 200  # within each other: an `if` for each of 106 towns is written so
MAX_DEPTH = 100  # operators and calls within each other, not counting such `if`s

_PIECES = re.compile(
    r"""(?P<quoted>'[^']*'|"[^"]*")|\$\{\s*(?P<name>[^{}]*?)\s*\}"""
    r"""|(?P<odd>==|&&|\|\||<>|!(?!=)|['"‘’“”«»≤≥≠–—×÷;{}$])"""
)
_NAME = re.compile(r"[^\W\d][\w.\-]*")
_CURES = {
    "==": said("sign_one"),
    "&&": said("sign_write", sign="and"),
    "||": said("sign_write", sign="or"),
    "<>": said("sign_write", sign="!="),
    "≠": said("sign_write", sign="!="),
    "≤": said("sign_write", sign="<="),
    "≥": said("sign_write", sign=">="),
    "!": said("sign_write", sign="not(…)"),
    ";": said("sign_comma"),
    "–": said("sign_hyphen"),
    "—": said("sign_hyphen"),
    "×": said("sign_write", sign="*"),
    "÷": said("sign_write", sign="div"),
    "'": said("sign_close"),
    '"': said("sign_close"),
    **dict.fromkeys("‘’“”«»", said("sign_quotes")),
    **dict.fromkeys("${}", said("sign_braces")),
}
_SYMBOLS = frozenset(
    "(start) (end) (invalid) (unknown) (string) (decimal) (integer) , ) ] :: : $ * . .. "  # noqa: SIM905
    "or and + - div mod | / // [ (".split()
)
_VALUE_ENDS = frozenset(("(string)", "(decimal)", "(integer)", "(name)", ")", "]", ".", ".."))
_OPERATORS = ("and", "or", "div", "mod")
_SPANISH = {"y": "and", "e": "and", "o": "or", "u": "or"}
_OPERATOR_CALLED = re.compile(r"\b(and|or|div|mod)\s*$", re.IGNORECASE)  # as a spreadsheet has it
_GLUED = re.compile(r"(and|or|div|mod)(?:[0-9.].*)?")


class Name(NameToken):
    """A name, or, with a parenthesis after it, a call whose items are the arguments."""

    def nud(self) -> Token:
        if self.parser.next_token.symbol != "(":
            return self
        self.label = "call"
        self.parser.advance("(")
        if self.parser.next_token.symbol != ")":
            self.append(self.parser.expression())
        while self.parser.next_token.symbol != ")":
            self.parser.advance(",", ")")
            self.append(self.parser.expression())
        self.parser.advance(")")
        return self


class Grammar(XPath1Parser):
    """One use each: a parser keeps its place in itself."""

    written: str  # the expression as its author wrote it
    symbol_table = {  # noqa: RUF012  # elementpath has it so
        symbol: token for symbol, token in XPath1Parser.symbol_table.items() if symbol in _SYMBOLS
    }
    literals_pattern = re.compile(r"""'[^']*'|"[^"]*"|[0-9]+(?:\.[0-9]*)?|\.[0-9]+""")
    PATH_STEP_LABELS = ("call",)

    def parse(self, source: str) -> Token:
        """Unlike its parent, evaluates nothing."""
        assert self.tokenizer is not None
        self.source, self.tokens = source, self.tokenizer.finditer(source)
        self.advance()
        root = self.expression()
        if self.next_token.symbol != "(end)":
            raise self.stuck(self.next_token)
        return root

    def advance(self, *symbols: str, message: str | None = None) -> Token:
        wrong = symbols and self.next_token.symbol not in symbols
        if wrong or self.next_token.symbol == "(end)":
            raise self.stuck(self.next_token)
        token = super().advance(*symbols, message=message)
        if self.next_token.symbol == "(name)" and token.symbol in _VALUE_ENDS:
            self._part_operator(self.next_token)
        return token

    def _part_operator(self, name: Token) -> None:
        """After a value, `div2` is an operator and a number (XPath 1.0, 3.7), as in `1div2`."""
        match = _GLUED.fullmatch(str(name.value))
        if match is not None and self.tokenizer is not None:
            start, end = name.span[0], name.span[0] + len(match[1])
            self.tokens = self.tokenizer.finditer(self.source, end)
            self.next_token = self.symbol_table[match[1]](self)
            self.next_token.span = start, end

    def stuck(self, token: Token) -> LogicError:
        if token.symbol == "(end)":
            return LogicError(said("too_early"))
        before = self.written[: token.span[0]]
        if token.symbol == "(" and (match := _OPERATOR_CALLED.search(before)):
            return LogicError(said("operator_between", operator=match[1]))
        if str(token.value).lower() in _SPANISH and not before.endswith(":"):
            sign = _SPANISH[str(token.value).lower()]
            return LogicError(said("sign_instead", word=str(token.value), sign=sign))
        if str(token.value).lower() in _OPERATORS:
            return LogicError(said("operator_small", operator=str(token.value)))
        return LogicError(said("cannot_be_read", place=place(self.written, token)))

    @staticmethod
    def unescape(string_literal: str) -> str:
        return string_literal[1:-1]


Grammar.symbol_table["(name)"] = Name
for _symbol, _power in (("=", 30), ("!=", 30), ("<", 35), ("<=", 35), (">", 35), (">=", 35)):
    Grammar.infix(_symbol, _power)  # elementpath takes no chains (1 < 2 < 3); XPath 1.0 does
Grammar.build()


def place(source: str, token: Token) -> Said:
    at = token.span[0]
    return said("place", words=source[at : at + 20].strip(), at=at + 1)


def parse(source: str) -> Token:
    """The tree of an expression, in elementpath's tokens; an answer is a `$` over its name."""
    if len(source) > MAX_LENGTH:
        raise LogicError(said("too_long", letters=len(source), most=MAX_LENGTH))
    prepared = _PIECES.sub(_plain, source)
    _measure_depth(prepared)
    grammar = Grammar({"jr": "http://openrosa.org/javarosa"})
    grammar.written = source
    try:
        return grammar.parse(prepared)
    except (SyntaxError, ElementPathError):
        raise grammar.stuck(grammar.token) from None
    except RecursionError:
        raise LogicError(TOO_DEEP) from None


def _plain(piece: re.Match[str]) -> str:
    """`${name}` as XPath's `$name`, as long as before, so that places stay right."""
    if piece["quoted"]:
        return piece[0]
    if piece["odd"]:
        at, cure = piece.start() + 1, _CURES[piece[0]]
        raise LogicError(said("odd_sign", sign=piece[0], at=at, cure=cure))
    if not _NAME.fullmatch(piece["name"]):
        kind = "last_saved" if piece["name"].startswith("last-saved#") else "no_such_name"
        raise LogicError(said(kind, sign=piece[0], at=piece.start() + 1))
    return f"${piece['name']}".ljust(len(piece[0]))


TOO_DEEP = said("too_deep")


def _measure_depth(source: str) -> None:
    depth = 0
    for bracket in re.findall(r"""'[^']*'|"[^"]*"|[(\[\])]""", source):
        depth += (bracket in "([") - (bracket in ")]")
        if depth > MAX_BRACKETS:
            raise LogicError(TOO_DEEP)
