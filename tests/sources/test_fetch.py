"""Fetching: mirror, cache, download; resumption, retries, checks. Served from this machine."""
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pandas as pd
import pytest

from humanflows.errors import SourceFileError
from humanflows.sources import fetch as module
from humanflows.sources import registry
from humanflows.sources.fetch import fetch

BODY = bytes(range(256)) * 2000  # 512 kB: several chunks
NAME = "group/file.bin"
ENDLESS = 200 * len(BODY)
KEPT = len(BODY) // 2 // module.CHUNK * module.CHUNK  # of a download cut in the middle: whole chunks


class Handler(BaseHTTPRequestHandler):
    """Serves ``server.body``; ``server.plan`` holds what to do wrong with the next requests."""

    def log_message(self, *args):
        pass

    def do_GET(self):
        server, body = self.server, self.server.body
        asked = self.headers.get("Range")
        server.ranges.append(asked)
        fault = server.plan.pop(0) if server.plan else ""
        if fault == "endless":         # never says how much there is
            self.send_response(200)
            self.end_headers()
            self.close_connection = True
            try:
                while server.sent < ENDLESS:
                    self.wfile.write(bytes(module.CHUNK))
                    server.sent += module.CHUNK
            except OSError:
                pass
            return None
        if fault == "odd":
            self.send_response(304)
            return self.end_headers()
        if "/" in fault:
            self.send_response(302)
            self.send_header("Location", fault)
            self.send_header("Content-Length", "0")
            return self.end_headers()
        if fault == "busy":
            return self.send_error(503)
        if fault == "missing":
            return self.send_error(404)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and server.honours_range else 0
        if fault == "none left" or (asked and start >= len(body)):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(body)}")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        sent = body[start:start + (len(body) - start) // 2] if fault == "cut" else body[start:]
        self.wfile.write(sent)
        self.close_connection = True


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None      # of clients that hang up, as they should
    server.body, server.plan, server.ranges, server.honours_range, server.sent = BODY, [], [], True, 0
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def place(server, tmp_path, monkeypatch):
    """Options of fetch: a registry of one file, an empty cache, no mirror; no waiting between attempts."""
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    monkeypatch.setattr(registry, "SCHEME", "http")     # nothing leaves this machine
    pd.DataFrame([{"path": NAME, "bytes": len(BODY), "sha256": hashlib.sha256(BODY).hexdigest(),
                   "url": f"http://127.0.0.1:{server.server_port}/file.bin", "source": "s", "licence": "l",
                   "vintage": "v"}]).to_csv(tmp_path / "registry.csv", index=False)
    return {"registry": tmp_path / "registry.csv", "cache": tmp_path / "cache", "mirror": None, "progress": False}


def test_downloads_once_and_then_reads_the_cache(server, place):
    file = fetch(NAME, **place)
    assert file == place["cache"] / NAME and file.read_bytes() == BODY
    assert fetch(NAME, **place) == file and len(server.ranges) == 1


def test_a_cut_connection_is_resumed_where_it_stopped(server, place):
    server.plan = ["cut"]
    assert fetch(NAME, **place).read_bytes() == BODY
    assert server.ranges == [None, f"bytes={KEPT}-"]
    assert not list(place["cache"].rglob("*.part"))


def test_a_later_run_resumes_what_an_earlier_one_left(server, place):
    server.plan = ["cut"] + ["busy"] * module.RETRIES
    with pytest.raises(SourceFileError, match=r"could not be downloaded"):
        fetch(NAME, **place)
    part = place["cache"] / f"{NAME}.part"
    assert part.read_bytes() == BODY[:KEPT] and not (place["cache"] / NAME).exists()
    assert fetch(NAME, **place).read_bytes() == BODY
    assert server.ranges[-1] == f"bytes={KEPT}-"


def test_a_server_without_ranges_is_asked_for_the_whole_again(server, place):
    server.honours_range, server.plan = False, ["cut"]
    assert fetch(NAME, **place).read_bytes() == BODY


@pytest.mark.parametrize("left", [BODY, BODY + b"more", b"other bytes"])
def test_a_part_that_is_complete_too_long_or_wrong_does_no_harm(server, place, left):
    part = place["cache"] / f"{NAME}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(left)
    assert fetch(NAME, **place).read_bytes() == BODY


def test_a_busy_server_is_asked_again(server, place):
    server.plan = ["busy", "busy"]
    assert fetch(NAME, **place).read_bytes() == BODY
    assert len(server.ranges) == 3


def test_a_missing_file_names_the_address_and_what_to_do(server, place):
    server.plan = ["missing"] * (1 + module.RETRIES)
    with pytest.raises(SourceFileError, match=r"file\.bin: could not be downloaded.*404.*Remedy.*HUMANFLOWS_MIRROR"):
        fetch(NAME, **place)


def test_altered_bytes_from_the_server_replace_nothing(server, place):
    server.body = b"x" + BODY[1:]
    good = place["cache"] / NAME
    with pytest.raises(SourceFileError) as caught:
        fetch(NAME, **place)
    assert hashlib.sha256(BODY).hexdigest() in str(caught.value)
    assert hashlib.sha256(server.body).hexdigest() in str(caught.value)
    assert not good.exists()


def test_an_altered_file_in_the_cache_is_downloaded_anew_and_kept_when_that_fails(server, place):
    file = fetch(NAME, **place)
    file.write_bytes(BODY[:100])  # truncated
    assert fetch(NAME, **place).read_bytes() == BODY
    file.write_bytes(b"old edition")
    for altered in (b"altered", bytes(len(BODY))):
        server.body = altered
        with pytest.raises(SourceFileError, match=r"nothing was replaced"):
            fetch(NAME, **place)
    assert file.read_bytes() == b"old edition"


def test_the_mirror_is_read_in_place_before_anything_else(server, place, tmp_path):
    mirrored = tmp_path / "mirror" / NAME
    mirrored.parent.mkdir(parents=True)
    mirrored.write_bytes(BODY)
    assert fetch(NAME, **place | {"mirror": tmp_path / "mirror"}) == mirrored
    assert server.ranges == [] and not (place["cache"] / NAME).exists()


@pytest.mark.parametrize("bytes_", [BODY[:-7], b"x" + BODY[1:]], ids=["truncated", "altered"])
def test_an_altered_mirror_is_an_error_naming_the_file(server, place, tmp_path, bytes_):
    mirrored = tmp_path / "mirror" / NAME
    mirrored.parent.mkdir(parents=True)
    mirrored.write_bytes(bytes_)
    with pytest.raises(SourceFileError) as caught:
        fetch(NAME, **place | {"mirror": tmp_path / "mirror"})
    for part in (str(mirrored), hashlib.sha256(BODY).hexdigest(), hashlib.sha256(bytes_).hexdigest(), "Remedy"):
        assert part in str(caught.value)
    assert server.ranges == []


def test_a_verified_file_is_hashed_again_only_when_it_changed(server, place, monkeypatch):
    hashed = []
    monkeypatch.setattr(module, "sha256", lambda file, plain=module.sha256: hashed.append(file) or plain(file))
    file = fetch(NAME, **place)
    hashed.clear()
    fetch(NAME, **place)
    assert hashed == []
    changed = bytearray(BODY)
    changed[5] ^= 1
    file.write_bytes(changed)  # the same size
    fetch(NAME, **place)
    assert file in hashed and file.read_bytes() == BODY


@pytest.mark.parametrize("path", ["../file.bin", "/etc/passwd", "group/../../file.bin"])
def test_no_path_leaves_the_cache(place, path):
    with pytest.raises(SourceFileError, match=r"unsafe path"):
        fetch(path, **place)


# ---- servers that do something else than they should ---------------------------------------------------------------

def nothing_came(place) -> bool:
    return not [f for f in place["cache"].rglob("*") if f.is_file() and f.name != "verified.json"]


@pytest.mark.parametrize("other", [BODY + b"more", BODY * 100, BODY[:-1], b""], ids=len)
def test_another_size_is_refused_at_once(server, place, other):
    server.body = other
    with pytest.raises(SourceFileError) as caught:
        fetch(NAME, **place)
    assert str(len(BODY)) in caught.value.problem and str(len(other)) in caught.value.problem
    assert len(server.ranges) == 1 and nothing_came(place)


def test_no_more_is_taken_than_registered_where_the_server_says_no_size(server, place):
    server.plan = ["endless"]
    with pytest.raises(SourceFileError, match=str(len(BODY))):
        fetch(NAME, **place)
    assert server.sent < ENDLESS and len(server.ranges) == 1 and nothing_came(place)


@pytest.mark.parametrize("where", ["http://localhost:{port}/file.bin", "https://127.0.0.1:{port}/file.bin",
                                   "http://127.0.0.1:1/file.bin", "//localhost:{port}/file.bin", "ftp://127.0.0.1/x",
                                   "http://127.0.0.1:nonsense/x"])
def test_no_redirect_is_followed_elsewhere(server, place, where):
    server.plan = [where.format(port=server.server_port)]
    with pytest.raises(SourceFileError) as caught:
        fetch(NAME, **place)
    assert where.rpartition("/")[2] in caught.value.problem
    assert len(server.ranges) == 1 and nothing_came(place)


def test_redirects_within_the_server_are_followed_a_few_times(server, place):
    server.plan = ["/moved.bin"] * module.REDIRECTS
    assert fetch(NAME, **place).read_bytes() == BODY
    (place["cache"] / NAME).unlink()
    server.plan = ["/moved.bin"] * 100
    with pytest.raises(SourceFileError):
        fetch(NAME, **place)
    assert len(server.plan) == 100 - 1 - module.REDIRECTS


@pytest.mark.parametrize(("fault", "said"), [("odd", "304"), ("none left", "partial download")])
def test_an_answer_that_is_none_is_not_taken_for_the_file(server, place, fault, said):
    server.plan = [fault] * (1 + module.RETRIES)
    with pytest.raises(SourceFileError, match=said):
        fetch(NAME, **place)
    assert nothing_came(place)


@pytest.mark.parametrize("url", ["http://.example.invalid/file.bin", "http://[::1/file.bin", "http:///file.bin",
                                 "nonsense", "https://127.0.0.1/file.bin", "http://user:word@127.0.0.1/file.bin"])
def test_a_bad_address_is_not_called_a_wrong_digest(place, url):
    frame = pd.read_csv(place["registry"])
    frame.assign(url=url).to_csv(place["registry"], index=False)
    with pytest.raises(SourceFileError) as caught:
        fetch(NAME, **place)
    assert url in str(caught.value) and "sha256" not in caught.value.problem
