"""Who holds a folder: the operating system's lock on a file in it.

A holder that dies loses its lock by that, so that what the file says counts only while somebody holds it. The file is there as long as
the lock is: whoever opened it while the last holder removed it sees that its own is no longer the one in the folder, and tries again.
"""

import contextlib
import errno
import os
import pathlib
import sys

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

NAME = "lock"
_FAR = 2**30
"""Windows locks bytes, and nobody else may read those; far behind the text they harm nothing."""
_NO_LOCKS = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)
"""What a file system says that has no locks."""


class Held(Exception):
    """Somebody else holds the folder; the message is what they wrote into the lock file."""


class Lock:
    """The lock of a folder, held from here to ``release``.

    Args:
        folder: exists and can be written.
        words: who holds it, for those who come later.

    Raises:
        Held: by somebody else.
        OSError: the file cannot be made.
    """

    def __init__(self, folder: pathlib.Path, words: str) -> None:
        self._path = folder / NAME
        self._handle = -1
        while self._handle < 0:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                if self._take(handle):
                    os.ftruncate(handle, 0)
                    os.write(handle, words.encode("utf-8"))
                    self._handle = handle
            finally:
                if self._handle < 0:
                    os.close(handle)

    def _take(self, handle: int) -> bool:
        """Lock the open file; false where it is no longer the folder's."""
        try:
            _lock(handle)
        except OSError as error:
            if error.errno in _NO_LOCKS:
                print(f"transduce: {self._path.parent}: has no locks: see to it that no other run writes there", file=sys.stderr)
                return True
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            raise Held(os.read(handle, 400).decode("utf-8", "replace").strip() or "another run") from None
        with contextlib.suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(handle), os.stat(self._path))
        return False

    def release(self) -> None:
        """Let go, the file removed. Twice is once."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            with contextlib.suppress(OSError):  # Windows removes no open file; it stays, and stops nobody
                os.unlink(self._path)
            os.close(handle)


def _lock(handle: int) -> None:
    if sys.platform == "win32":
        os.lseek(handle, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        finally:
            os.lseek(handle, 0, os.SEEK_SET)
    else:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
