"""Side effects of a reader, according to the audit events of Python.

Libraries in C open files without such events.
"""

import os
import sys
from pathlib import Path
from typing import Any

# Events that change the file or folder in their first argument.
_CHANGES = {f"os.{name}" for name in ("chmod", "link", "mkdir", "remove", "rename")}
_CHANGES |= {f"os.{name}" for name in ("rmdir", "symlink", "truncate", "utime")}
_LISTS = {"os.listdir", "os.scandir"}
_FORBIDDEN = {"os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn"}
_FORBIDDEN |= {"os.spawn", "subprocess.Popen", "socket.connect", "socket.bind"}
_FORBIDDEN |= {"socket.getaddrinfo", "pickle.find_class", "os.putenv", "os.chdir"}


class Guard:
    """Records access to files outside of a folder while `is_watching` is true.

    Parameters
    ----------
    folder : Path
        The folder of the files that are read. Changes in it are allowed.
    """

    def __init__(self, folder: Path) -> None:
        self.is_watching = False
        self.seen: list[str] = []
        self._folder = os.path.realpath(folder)
        root = Path(__file__).parents[2]
        readable = {sys.prefix, sys.base_prefix, root, *filter(None, sys.path)}
        readable |= {"/proc", "/sys", "/usr/lib", "/usr/share", "/dev/null"}
        self._readable = tuple(os.path.realpath(path) for path in readable)
        sys.addaudithook(self._on_event)

    def _on_event(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.is_watching:
            return
        if event == "open":
            path, mode, flags = arguments
            is_writing = bool(
                (isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR))
                or (isinstance(mode, str) and set(mode) & set("wax+"))
            )
            self._look_at(event, path, is_writing)
        elif event in _CHANGES or event in _LISTS:
            self._look_at(event, arguments[0], event in _CHANGES)
        elif event in _FORBIDDEN:
            self.seen.append(f"{event} {arguments!r:.200}")
        elif event == "import" and not _is_known(arguments[0]):
            self.seen.append(f"import {arguments[0]}")

    def _look_at(self, event: str, path: Any, is_writing: bool) -> None:
        if isinstance(path, int) or path is None:
            return
        self.is_watching = False  # the calls below cause events too
        try:
            real = os.path.realpath(os.fsdecode(path))
        except ValueError:  # a NUL, which the system refuses
            return
        finally:
            self.is_watching = True
        allowed = (self._folder,) if is_writing else (self._folder, *self._readable)
        is_inside = any(real == a or real.startswith(a + os.sep) for a in allowed)
        if not is_inside:
            self.seen.append(f"{event} {path!r:.200}")


def _is_known(module: str) -> bool:
    top = module.partition(".")[0]
    return top in sys.modules or top in sys.stdlib_module_names
