"""Sends one message by one channel, by Apprise: an address for each of some hundred services.

Apprise waits for its servers, so an attempt runs in a thread of its own, which holds up neither the loop nor the end of
the process. It also says what went wrong to its logger alone; what it says is heard here and shown without the address.
"""

import asyncio
import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from html import escape
from urllib.parse import quote, unquote, urlsplit

import apprise

from consumers.notify.outbox import Outgoing
from runtime.settings import secret
from schemas.printable import printable
from schemas.site import Site
from schemas.site_notify import NotifyChannel
from schemas.troubles import Trouble

PAUSE = 1.0
"""Seconds between two messages of a channel. Apprise waits for 5.5, and digests bound how many there are."""
HUNG = 300.0
"""Seconds after which an attempt is let go: a server that says a byte now and then would hold its channel for ever."""
KEPT_LATE = 500
"""Ids of messages that were taken late and are not asked for yet."""
SHORTEST_SECRET = 4
"""Characters of a part of an address that is never shown."""


OURS = apprise.AppriseAsset(
    app_id="joulebus", app_desc="joulebus", app_url="", image_url_mask="", image_url_logo="", image_path_mask=""
)
"""Messages bear our name, and no image that a phone would fetch from elsewhere."""


CAUSE = "Exception: "
"""So Apprise begins, for those who debug it, what a server or the network said."""


class _Ear(logging.Handler):
    """What Apprise says in each thread."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._own = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        words = record.getMessage()
        if record.levelno >= logging.WARNING:
            self.said.append(words)
        elif CAUSE in words:  # `Connection error` alone tells a wrong password from a wrong port to nobody
            cause = words.partition(CAUSE)[2]
            self.said.append(cause.rpartition("Caused by ")[2].rstrip("\"')"))

    @property
    def said(self) -> list[str]:
        if not hasattr(self._own, "said"):
            self._own.said = []
        found: list[str] = self._own.said
        return found


_EAR = _Ear()
_LOG = logging.getLogger("apprise")
_LOG.addHandler(_EAR)
_LOG.setLevel(logging.DEBUG)
_LOG.propagate = False  # it may print parts of addresses


def address_of(channel: NotifyChannel, site: Site, env: Mapping[str, str]) -> str:
    """The address of a channel. Raises Trouble, which shows nothing of it."""
    if channel.url is not None:
        return channel.url
    if channel.url_file is not None:
        path = site.beside(channel.url_file)
        try:
            return path.read_text(encoding="utf-8").strip()
        except OSError as wrong:
            raise Trouble(f"{path} cannot be read: {wrong.strerror}") from None
        except UnicodeDecodeError:
            raise Trouble(f"{path} cannot be read: it is not UTF-8") from None
    found = secret(env, channel.variable)
    if found is None:
        raise Trouble(f"it has no address: give url or url_file, or the variable {channel.variable}")
    return found


class Sender:
    """One channel. One attempt at a time."""

    def __init__(self, channel: NotifyChannel, url: str) -> None:
        """Raises Trouble for an address that Apprise does not know."""
        self.channel, self._secrets = channel, _secrets(url)
        plugin = apprise.Apprise.instantiate(url, asset=OURS, suppress_exceptions=True)
        if plugin is None:
            kind = urlsplit(url).scheme if "://" in url else ""
            what = f"{kind}:// needs more than it holds" if _known(kind) else "no service is known by how it begins"
            raise Trouble(f"its address cannot be used: {what}; docs/notifications.md shows some")
        self._html = _reads_html(plugin) and "format=markdown" not in url
        if "format=" not in url and not self._html:
            plugin.notify_format = apprise.NotifyFormat.TEXT
        if "overflow=" not in url:  # a service that refuses what is too long would do so for a day
            plugin.overflow_mode = apprise.OverflowMode.SPLIT
        plugin.request_rate_per_sec = min(plugin.request_rate_per_sec, PAUSE)
        self._plugin = plugin
        self._running: tuple[str, Future[str], float] | None = None
        """Of which message, and since when by the monotonic clock."""
        self._late: list[str] = []
        """What the server took after its time, and is not to get twice."""
        self._turn = asyncio.Lock()

    async def send(self, message: Outgoing) -> str:
        """Empty when the server took it; else why not, without a word of the address."""
        async with self._turn:  # a test that somebody asks for comes beside what is told of alarms
            return await self._sent(message)

    async def _sent(self, message: Outgoing) -> str:
        if message.id in self._late:
            self._late.remove(message.id)
            return ""
        if self._running is None:
            self._running = message.id, _in_thread(lambda: self._attempt(message)), time.monotonic()
        name, attempt, began = self._running
        done, _ = await asyncio.wait([asyncio.wrap_future(attempt)], timeout=self.channel.timeout)
        if not done:
            if time.monotonic() - began > HUNG:
                self._running = None  # the next one is tried anew; it bears the same id
            return f"no answer within {self.channel.timeout:g} s"
        self._running = None
        why = attempt.result()
        if name == message.id:
            return why
        if not why:  # that was one before, which had not come back in time
            self._late = [*self._late[-KEPT_LATE:], name]
        return await self._sent(message)

    def _attempt(self, message: Outgoing) -> str:
        _EAR.said.clear()
        headers = getattr(self._plugin, "headers", None)
        if isinstance(headers, dict):  # of e-mails and webhooks: who gets one twice can tell
            headers["X-Joulebus-Message"] = message.id
        body, title = (message.short, "") if self.channel.short else (f"{message.body}\n({message.id})", message.title)
        form = apprise.NotifyFormat.TEXT
        if self._html:
            form, body = apprise.NotifyFormat.HTML, escape(body, quote=False).replace("\n", "<br/>")
            if self._plugin.title_maxlen <= 0:  # it becomes a part of the body
                title = escape(title, quote=False)
        try:
            took = self._plugin.notify(body=body, title=title, body_format=form)
        except Exception as wrong:  # noqa: BLE001  # a hundred plugins: whatever one does, the others go on
            return self._shown(f"{type(wrong).__name__}: {wrong}")
        if took:
            return ""
        return self._shown("; ".join(dict.fromkeys(_EAR.said)) or "it was not taken")

    def _shown(self, words: str) -> str:
        for one in self._secrets:
            words = words.replace(one, "...")
        return printable(words.rstrip("."), 300)


def _secrets(url: str) -> list[str]:
    """The parts of an address that could be secrets: all but the scheme and the host; the longest first."""
    rest = url.partition("://")[2]
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        host = ""
    if "." not in host and host != "localhost":
        host = ""  # a service of the internet has a key there, such as pbul://key
    parts = {one for one in re.split(r"[/:@?&=,;\s]+", rest) if len(one) >= SHORTEST_SECRET and one.lower() != host}
    plain = {unquote(one) for one in parts}
    return sorted(parts | plain | {quote(one, safe="") for one in plain}, key=len, reverse=True)


def _reads_html(plugin: apprise.NotifyBase) -> bool:
    """Whether it takes whatever comes for HTML, as Telegram's does: `p < 0` is refused there for ever."""
    given = plugin.notify_format
    formats = given if isinstance(given, tuple) else (given,)
    return apprise.NotifyFormat.HTML in formats and apprise.NotifyFormat.TEXT not in formats


def _known(kind: str) -> bool:
    """Whether Apprise has a service of that scheme."""
    services = apprise.Apprise().details()["schemas"]
    return any(kind in (one.get(key) or ()) for one in services for key in ("protocols", "secure_protocols"))


def _in_thread(attempt: Callable[[], str]) -> "Future[str]":
    """In a thread that ends with the process, also while its server is silent."""
    future: Future[str] = Future()
    threading.Thread(target=lambda: future.set_result(attempt()), daemon=True, name="notify.send").start()
    return future
