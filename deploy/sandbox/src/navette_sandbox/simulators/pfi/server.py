"""The PFI double on the wire: MLLP over TLS, acknowledgements, receipts, state views."""

from __future__ import annotations

import asyncio
import ssl
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from navette_sandbox.simulators.common import Listener, Simulator, SimulatorConfig, View, abort, server_context
from navette_sandbox.simulators.pfi import receipts
from navette_sandbox.simulators.pfi.content import Content, check_content
from navette_sandbox.simulators.pfi.er7 import APPLICATION, CONDITIONS, Message, Refused, acknowledge, read
from navette_sandbox.simulators.pfi.register import Register
from navette_sandbox.simulators.pfi.settings import PfiSettings
from navette_sandbox.simulators.pfi.structure import Frame, check_structure

MAX_MESSAGE = 64 * 2**20
_RESEND_SECONDS = 0.5


class PfiSimulator(Simulator):
    """See the package. Fault targets: ``mdm`` and ``oru``, and ``zam`` for what it sends.

    Fault kinds: ``down``; ``slow``; ``silent`` (nothing stored, no answer); ``stalled`` (stored, its answer kept
    back until the fault is lifted); ``lost_answer`` (stored, then the connection is cut); ``ae`` and ``ar``
    (``code``: ERR-5, or an ERR-3 other than 207); ``held`` (target ``zam``: receipts are kept back until it is lifted).
    """

    name = "pfi"
    kinds = frozenset({"down", "slow", "silent", "stalled", "lost_answer", "ae", "ar", "held"})

    def __init__(
        self,
        config: SimulatorConfig,
        settings: PfiSettings | None = None,
        *,
        receipts_to: tuple[str, int] = ("localhost", 0),
    ) -> None:
        super().__init__(config)
        self.settings = settings or PfiSettings.load(config.data)
        self.register = Register(config.state)
        self.sent: list[dict[str, Any]] = []
        self._receipts_to = receipts_to
        self._queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._sender: asyncio.Task[None] | None = None
        self._dmp_refuses = set(self.settings.dmp_refuses)
        self._mail_refuses = dict(self.settings.mail_refuses)
        self._parties = ("", "", "", "")
        self._given_up = 0
        self._client = self._client_context()
        self._listener = Listener(
            self._connection,
            port=config.port,
            host=config.host,
            context=server_context(config.pki, "pfi-server"),
            refusing=self.faults.down,
            on_handshake_error=self.note_handshake_error,
            limit=MAX_MESSAGE,
        )

    def _client_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.config.pki / "internal-ca.pem"))
        context.load_cert_chain(self.config.pki / "pfi-client.pem", self.config.pki / "pfi-client.key")
        return context

    async def start_main(self) -> None:
        """Open the MLLP port; start sending receipts."""
        await self._listener.start()
        self._sender = asyncio.create_task(self._send_receipts())

    async def stop_main(self) -> None:
        """Close the port."""
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.wait({self._sender})
        await self._listener.stop()

    def ports(self) -> Mapping[str, int]:
        """The MLLP port."""
        return {"port": self._listener.port}

    def reset_state(self) -> None:
        """Forget documents, messages and receipts."""
        self.give_up()
        self.register.clear()
        self.sent.clear()

    def views(self) -> Mapping[str, View]:
        """documents, messages, receipts."""
        return {
            "documents": lambda _: self.register.as_json("documents"),
            "messages": lambda _: self.register.as_json("messages"),
            "receipts": lambda _: self.sent,
        }

    def commands(self) -> Mapping[str, Any]:
        """``receipt``: send one by hand; ``receipts-to``: where they go; ``refusals-to-come``: who will refuse."""
        return {"receipt": self._by_hand, "receipts-to": self._redirect, "refusals-to-come": self._refuse_later}

    def _redirect(self, what: dict[str, Any]) -> None:
        self._receipts_to = (str(what.get("host", "localhost")), int(what["port"]))

    def _refuse_later(self, what: dict[str, Any]) -> None:
        self._dmp_refuses = set(what.get("dmp", ()))
        self._mail_refuses = dict(what.get("mail", {}))

    def _by_hand(self, what: dict[str, Any]) -> None:
        """``{"event", "refers_to", "positive", "address", "code", "number"}`` or ``{"raw": text}``."""
        if "raw" in what:
            self._queue.put_nowait(str(what["raw"]).encode())
            return
        names = ("event", "refers_to", "positive", "address", "code")
        receipt = receipts.Receipt(**{name: what[name] for name in names if name in what})
        self._put(receipt, "T", str(what.get("number") or ""))

    # -- messages -----------------------------------------------------------------------------------

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                framed = await reader.readuntil(b"\x1c\r")
                if not framed.startswith(b"\x0b"):
                    self.refusals.record("mllp", "mllp.frame")
                    return
                if not await self._message(framed[1:-2], writer):
                    return
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
            return  # it left

    async def _message(self, raw: bytes, writer: asyncio.StreamWriter) -> bool:
        """Answer one message; False when the connection ends with it."""
        if self.faults.down():
            abort(writer)
            return False
        target = "mdm" if b"|MDM^" in raw[:400] else "oru"
        await self.faults.delay(target)
        if self.faults.take(target, "silent") is not None:
            return True
        answer = self._answer(raw, target)
        await self.faults.stall(target)
        if self.faults.take(target, "lost_answer") is not None:
            abort(writer)
            return False
        writer.write(b"\x0b" + answer + b"\x1c\r")
        await writer.drain()
        return True

    def _answer(self, raw: bytes, target: str) -> bytes:
        message: Message | None = None
        try:
            message = read(raw)
            self._scripted(target)
            known = self.register.answered(message, raw)
            if known is not None:
                return known
            self._addressed(message)
            frame = check_structure(message, self.settings.versions)
            content = check_content(message, frame, strict=self.settings.strict)
            self.register.check_life_cycle(frame, content)
        except Refused as refused:
            if not refused.rule.startswith("scripted"):
                self.refusals.record(target, refused.rule, refused.where)
            return acknowledge(message, _number(), datetime.now(UTC), refused)
        taken = self.register.take(message, raw, frame, content)
        answer = acknowledge(message, _number(), datetime.now(UTC))
        self.register.remember(message, raw, answer, taken)
        self._promise(message, frame, content)
        return answer

    def _scripted(self, target: str) -> None:
        fault = self.faults.take(target, "ae", "ar")
        if fault is None:
            return
        application = fault.code if fault.code in APPLICATION else ""
        condition = fault.code if fault.code in CONDITIONS else "207"
        raise Refused(condition, f"scripted.{fault.kind}", code=fault.kind.upper(), application=application)

    def _addressed(self, message: Message) -> None:
        if (message.msh.part(5), message.msh.part(6)) != (self.settings.application, self.settings.facility):
            raise Refused("199", "msh.receiver", "MSH^1^5", code="AR")

    # -- receipts -----------------------------------------------------------------------------------

    def _promise(self, message: Message, frame: Frame, content: Content) -> None:
        """The receipts a message asks for."""
        msh = message.msh
        self._parties = (msh.part(5), msh.part(6), msh.part(3), msh.part(4))
        if not self.settings.receipts:
            return
        number, said, processing = msh.part(10), content.indicators, msh.part(11)
        mailboxes = [*content.professionals, *([content.patient] if content.patient else [])]
        wanted: list[receipts.Receipt] = []
        if said["ACK_RECEPTION"] and said["DESTDMP"]:
            closed = frame.ins is not None and frame.ins[1] in self._dmp_refuses
            wanted.append(receipts.Receipt("Z01", number, not closed, code="DMPClosed" if closed else ""))
        for mailbox in mailboxes:
            code = self._mail_refuses.get(mailbox, "")
            if said["ACK_RECEPTION"]:
                wanted.append(receipts.Receipt("Z02", number, not code, mailbox, code))
            if said["ACK_LECTURE_MSS"] and self.settings.reads and not code:
                wanted.append(receipts.Receipt("Z03", number, positive=True, address=mailbox))
        for one in wanted:
            self._put(one, processing)

    def give_up(self) -> None:
        """Forget the receipts that wait, and the one that is sent again and again."""
        self._given_up += 1
        while not self._queue.empty():
            self._queue.get_nowait()

    def _put(self, receipt: receipts.Receipt, processing: str, number: str = "") -> None:
        self._queue.put_nowait(receipts.zam(receipt, self._parties, number or _number(), datetime.now(UTC), processing))

    async def _send_receipts(self) -> None:
        """One after the other; one that is not answered, or answered AR, is sent again as it was."""
        while True:
            data = await self._queue.get()
            given_up = self._given_up
            while True:
                if await self._sent(data) or given_up != self._given_up:
                    break
                await asyncio.sleep(_RESEND_SECONDS)

    async def _sent(self, data: bytes) -> bool:
        host, port = self._receipts_to
        if not port or self.faults.take("zam", "held") is not None:
            return False
        try:
            code = await receipts.send(host, port, data, self._client)
        except (OSError, TimeoutError):
            return False
        header = data.split(b"\r", 1)[0].decode().split("|")
        self.sent.append(
            {"event": header[8].split("^")[1] if "^" in header[8] else "", "number": header[9], "answer": code}
        )
        return code not in ("", "AR")


def _number() -> str:
    return uuid.uuid4().hex[:18].upper()
