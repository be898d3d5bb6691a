"""Fetching published files: cached, verified, resumable, and never half-written."""

from __future__ import annotations

import logging
import os
import shutil
import urllib.error
import urllib.request
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any

from toolkit.data.arrays import file_sha256
from toolkit.data.catalogue import Entry, cached_path, find_entry
from toolkit.data.minari_reader import import_minari, is_minari_id
from toolkit.errors import UserError

CHUNK_BYTES = 1 << 16
TIMEOUT_SECONDS = 30.0
#: What an address can begin with.
SCHEMES = ("http://", "https://", "file://")
_FIRST_BYTES = {".hdf5": b"\x89HDF", ".npy": b"\x93NUMPY"}


def fetch(name: str, *, folder: str | Path | None = None, base_url: str | None = None) -> Path:
    """Download a published dataset once, and return where it lies.

    A file whose SHA-256 is known must have it; of any other, the first download's hash is written
    beside it (`NAME.sha256`) and later downloads must match. A download that breaks leaves a
    `.part` file, which the next call continues. A Minari id is handed to Minari.

    `base_url` (or the variable `TOOLKIT_DATA_URL`) names a mirror in place of the publisher's
    address; `folder` (or `TOOLKIT_DATA_DIR`) a place in place of the platform's cache.

    Raises:
        UserError: the name is unknown, the server or the disk failed, or the content is wrong.
    """
    entry = find_entry(name)
    if entry is None and is_minari_id(name) and not name.startswith("toolkit/"):
        return _fetch_minari(name)
    if entry is None or not entry.base_url:
        own = {
            "simulated": "is simulated and needs no download",
            "bundled": "comes with the package and needs no download",
            "made": f"needs no download: `toolkit data make {name} --out FILE` makes it",
        }
        what = own[entry.kind] if entry else "is not a published dataset"
        raise UserError(f"{name}: this name {what}; `toolkit data list` shows what can be fetched.")
    base = base_url or os.environ.get("TOOLKIT_DATA_URL") or entry.base_url
    if not base.startswith(SCHEMES):
        raise UserError(f"An address must begin with {' or '.join(SCHEMES)}, got {base!r}.")
    path = cached_path(entry, Path(folder) if folder else None)
    return _retrieve(entry, f"{base.rstrip('/')}/{entry.remote_path}", path)


def _retrieve(entry: Entry, url: str, path: Path) -> Path:
    import pooch

    record = path.with_name(path.name + ".sha256")
    expected = entry.sha256 or (record.read_text().strip() if record.exists() else None)
    try:
        downloader: Any = ResumingDownloader(path, sure=expected is not None)
        pooch.get_logger().setLevel(logging.WARNING)
        pooch.retrieve(url, f"sha256:{expected}" if expected else None, path.name, path.parent,
                       downloader=downloader)  # fmt: skip
        if expected is None:
            record.write_text(file_sha256(path) + "\n")
    except UserError:
        raise
    except ValueError:  # pooch: the hash differs
        raise UserError(
            f"{entry.name}: the file from {url} must have SHA-256 {expected}, but another content "
            "came, so it was not kept."
        ) from None
    except OSError as error:
        raise UserError(
            f"{entry.name}: {path.parent} must be a folder with room to write in, got "
            f"{error.strerror or type(error).__name__}."
        ) from None
    return path


def _fetch_minari(name: str) -> Path:
    minari = import_minari(name)
    try:
        minari.download_dataset(name)
    except Exception as error:  # Minari documents none
        reason = (str(error).splitlines() or [""])[0].rstrip(".") or type(error).__name__
        raise UserError(f"{name}: Minari could not download this dataset ({reason}).") from None
    from minari.storage import get_dataset_path

    return Path(get_dataset_path(name))


class ResumingDownloader:
    """A downloader for `pooch` that keeps what came in `FILE.part` and continues from there.

    `sure` says that the content will be checked against a hash. If it is not, a part is continued
    only where the server vouches (by its `ETag` or `Last-Modified`) that the file is still the
    same.
    """

    def __init__(self, path: Path, *, sure: bool):
        self.part = path.with_name(path.name + ".part")
        self.mark = path.with_name(path.name + ".part.mark")
        self.suffix = path.suffix
        self.sure = sure

    def __call__(self, url: str, output_file: Any, pooch: Any) -> None:
        """Download `url` into the part file and, once complete, move it to `output_file`."""
        try:
            self._receive(url)
        except urllib.error.HTTPError as error:
            error.close()
            raise UserError(
                f"{url}: expected the file, but the server answered {error.code} {error.reason}."
            ) from None
        except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
            reason = getattr(error, "reason", None) or str(error) or type(error).__name__
            raise UserError(
                f"{url}: the transfer failed ({reason}); fetch again to continue."
            ) from None
        self._check_content(url)
        shutil.move(self.part, output_file)
        self.mark.unlink(missing_ok=True)

    def _receive(self, url: str) -> None:
        with self._open(url) as response:
            resumed = response.status == 206
            start = self.part.stat().st_size if resumed else 0
            length = response.headers.get("Content-Length")
            total = None if length is None else start + int(length)
            mark = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
            self.mark.write_text(mark)
            with open(self.part, "ab" if resumed else "wb") as file:
                _copy(response, file, total, start)
        got = self.part.stat().st_size
        if total is not None and got != total:
            raise UserError(
                f"{url}: the connection broke after {got} of {total} bytes; fetch again to "
                "continue from there."
            )

    def _open(self, url: str) -> HTTPResponse:
        mark = self.mark.read_text() if self.mark.exists() else ""
        have = self.part.stat().st_size if self.part.exists() else 0
        if have == 0 or not (mark or self.sure):
            return _request(url, {})
        headers = {"Range": f"bytes={have}-"} | ({"If-Range": mark} if mark else {})
        try:
            response = _request(url, headers)
        except urllib.error.HTTPError as error:
            if error.code != 416:  # anything but "nothing lies beyond your part"
                raise
            error.close()
            return _request(url, {})
        if response.status == 206 and not _starts_at(response, have):
            response.close()
            return _request(url, {})
        return response

    def _check_content(self, url: str) -> None:
        with open(self.part, "rb") as file:
            start = file.read(16)
        if start.startswith(_FIRST_BYTES[self.suffix]):
            return
        self.part.unlink()
        self.mark.unlink(missing_ok=True)
        came = "an empty answer" if not start else f"something that starts with {start!r}"
        came = "an HTML page" if start.lstrip()[:1] == b"<" else came
        raise UserError(f"{url}: expected a {self.suffix} file, got {came}.")


def _request(url: str, headers: dict[str, str]) -> HTTPResponse:
    request = urllib.request.Request(url, headers={"User-Agent": "koopman-toolkit", **headers})
    return urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)


def _starts_at(response: HTTPResponse, offset: int) -> bool:
    return response.headers.get("Content-Range", "").startswith(f"bytes {offset}-")


def _copy(response: HTTPResponse, file: Any, total: int | None, start: int) -> None:
    from tqdm.auto import tqdm

    with tqdm(total=total, initial=start, unit="B", unit_scale=True, leave=False) as bar:
        while chunk := response.read(CHUNK_BYTES):
            file.write(chunk)
            bar.update(len(chunk))
