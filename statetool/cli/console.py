"""The terminal, or what stands in for it: where text goes, whether in colour, how wide, and in which mode.

Owns stdin, stdout and stderr of a command. What is written must be harmless already; views see to that. A reader
that goes away (`statetool plan | head -1`) or a full disk must not end a run in the middle: writing never raises.
It must load nothing heavy.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Mapping
from typing import Literal, TextIO

from statetool.errors import ExitCode

JsonMode = Literal["document", "lines"]
_USUAL_WIDTH = 80


class Console:
    """`json_mode` None: text. In the other modes stdout belongs to JSON alone. Streams may be None: closed."""

    def __init__(
        self, stdin: TextIO | None, stdout: TextIO | None, stderr: TextIO | None, environ: Mapping[str, str]
    ) -> None:
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr
        self.json_mode: JsonMode | None = None
        self.no_color = bool(environ.get("NO_COLOR"))
        self._is_dumb = environ.get("TERM") == "dumb"
        self._failure: OSError | None = None
        for stream in (stdout, stderr):
            if isinstance(stream, io.TextIOWrapper):
                # A name that the terminal's encoding lacks is spelled out instead of ending the command.
                stream.reconfigure(errors="backslashreplace")

    def out(self, text: str) -> None:
        """A line, or lines, of the result on stdout."""
        self._write(self.stdout, text + "\n")

    def tell(self, text: str) -> None:
        """A line, or lines, beside the result, on stderr."""
        self._write(self.stderr, text + "\n")

    def ask(self, question: str) -> str | None:
        """What a person types, without the line end; None at the end of input."""
        self._write(self.stderr, question)
        try:
            line = self.stdin.readline() if self.stdin else ""
        except (UnicodeDecodeError, OSError):
            return None
        return line.rstrip("\r\n") if line else None

    @property
    def is_json(self) -> bool:
        return self.json_mode is not None

    @property
    def can_ask(self) -> bool:
        return is_terminal(self.stdin)

    @property
    def shows_live(self) -> bool:
        """Whether stderr can redraw lines."""
        return is_terminal(self.stderr) and not self._is_dumb

    def color(self, stream: TextIO | None) -> bool:
        return is_terminal(stream) and not (self.no_color or self._is_dumb)

    @property
    def width(self) -> int | None:
        """Columns of stdout; None where it is no terminal, for then nothing is wrapped."""
        if self.stdout is None or not is_terminal(self.stdout):
            return None
        try:
            return os.get_terminal_size(self.stdout.fileno()).columns or _USUAL_WIDTH
        except (OSError, ValueError):
            return _USUAL_WIDTH

    def finish(self, code: int) -> int:
        """The exit code after everything was written: an error where the result could not be."""
        for stream in (self.stdout, self.stderr):
            self._write(stream, "")
        if self._failure is None:
            return code
        reason = (self._failure.strerror or type(self._failure).__name__).lower()
        self._write(self.stderr, f"error[output]: the output could not be written: {reason}\n")
        return code if code not in (ExitCode.DONE, ExitCode.CHANGES) else ExitCode.ERROR

    def _write(self, stream: TextIO | None, text: str) -> None:
        if stream is None:
            return
        try:
            stream.write(text)
            stream.flush()
        except BrokenPipeError:
            silence(stream)
        except OSError as error:
            silence(stream)
            if stream is self.stdout:
                self._failure = error
        except ValueError:
            return  # closed by whoever called us in this process


def is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False


def silence(stream: TextIO) -> None:
    """Point a stream nobody reads any more at nothing, or Python complains about it when it ends."""
    with contextlib.suppress(OSError, ValueError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nothing, stream.fileno())
        finally:
            os.close(nothing)
