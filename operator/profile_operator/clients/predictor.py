"""The predictor over the Open Inference Protocol (V2): one order in, one result out."""

from __future__ import annotations

import re
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from time import time
from typing import Any

import httpx2
from pydantic import ValidationError

from profile_contract.generation import (
    CHECK_TENSOR,
    EVICT_TENSOR,
    ORDER_TENSOR,
    RECEIPT_TENSOR,
    RESULT_TENSOR,
    EvictionOrder,
    EvictionResult,
    GenerationOrder,
    GenerationResult,
    LookCheckOrder,
    LookCheckResult,
    ReceiptOrder,
    Receipts,
)
from profile_operator.config import GenerationConfig
from profile_runtime.network import network_trouble

DEFAULT_PAUSE_SECONDS = 2.0
LONGEST_ANSWER = 1 << 20
# What is packed may be a thousand times as large.
_UNPACKED = {"Accept-Encoding": "identity"}
# Not now: too early, or whoever stands before the predictor has no pod for it. Other 4xx say that this order is wrong.
_LATER = frozenset({408, 425, 502, 503, 504})


class PredictorUnavailable(Exception):
    """It does not answer, or not well; later it may."""


class PredictorFailed(Exception):
    """It met an error of its own over this order. Met again and again, waiting does not help."""


class PredictorBusy(Exception):
    """Its queue is full; it says when to come again."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"busy for {seconds:.0f} s")
        self.seconds = seconds


class PredictorRefused(Exception):
    """The order is wrong: the same order would be refused again."""


class PredictorClient:
    """Calls predictors by name."""

    def __init__(self, config: GenerationConfig, token: str = "", fence: Callable[[], None] | None = None) -> None:
        """`token`: what predictors want to be shown; empty: nothing. `fence` raises where nothing may be drawn."""
        self._config, self._fence = config, fence or (lambda: None)
        timeout = httpx2.Timeout(config.call_seconds, connect=config.connect_seconds)
        # Every call may meet another pod; a connection kept open would bind us to one. How many there are at once is
        # decided before a call: here nobody waits.
        limits = httpx2.Limits(max_keepalive_connections=0, max_connections=None)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx2.AsyncClient(timeout=timeout, limits=limits, trust_env=False, headers=headers)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def generate(self, predictor: str, order: GenerationOrder) -> GenerationResult:
        """Make one batch. Raises PredictorBusy, PredictorUnavailable, PredictorFailed or PredictorRefused."""
        self._fence()
        text = await self._infer(predictor, ORDER_TENSOR, order.to_json())
        try:
            return GenerationResult.model_validate_json(text)
        except ValidationError as error:
            raise PredictorUnavailable("the predictor's answer cannot be read") from error

    async def evict(self, predictor: str, order: EvictionOrder, origin: str = "") -> int:
        """Have one replica forget adapters, the one at `origin` (http://ADDRESS:PORT) or any; returns how many cached
        copies went."""
        text = await self._infer(predictor, EVICT_TENSOR, order.to_json(), origin)
        try:
            return EvictionResult.model_validate_json(text).evicted
        except ValidationError as error:
            raise PredictorUnavailable("the predictor's answer cannot be read") from error

    async def check(self, predictor: str, order: LookCheckOrder) -> LookCheckResult:
        """Have a look read, and told whether it can be drawn with. Raises as `generate` does."""
        text = await self._infer(predictor, CHECK_TENSOR, order.to_json())
        try:
            return LookCheckResult.model_validate_json(text)
        except ValidationError as error:
            raise PredictorUnavailable("the predictor's answer cannot be read") from error

    async def receipts(self, predictor: str, order: ReceiptOrder, origin: str = "") -> Receipts:
        """What one replica drew, the one at `origin` or any. Raises as `generate` does; PredictorRefused too from an
        earlier version, which keeps no receipts."""
        text = await self._infer(predictor, RECEIPT_TENSOR, order.to_json(), origin)
        try:
            return Receipts.model_validate_json(text)
        except ValidationError as error:
            raise PredictorUnavailable("the predictor's answer cannot be read") from error

    async def _infer(self, predictor: str, tensor: str, content: str, origin: str = "") -> str:
        url = f"{origin or self._config.url(predictor)}/v2/models/{predictor}/infer"
        body = {"inputs": [{"name": tensor, "shape": [1], "datatype": "BYTES", "data": [content]}]}
        try:
            response = await self._post(url, body)
        except httpx2.HTTPError as error:
            raise PredictorUnavailable(
                f"the predictor {predictor} does not answer: {network_trouble(error)}"
            ) from error
        if response.status_code == httpx2.codes.OK:
            return _result(response)
        raise _refusal(predictor, response)

    async def _post(self, url: str, body: dict[str, Any]) -> httpx2.Response:
        """The answer, whole and small: candidates go to the store. Raises httpx2.HTTPError, for a large one too."""
        async with self._client.stream("POST", url, json=body, headers=_UNPACKED) as response:
            if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                raise httpx2.DecodingError("the answer is packed, unasked")
            content = bytearray()
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > LONGEST_ANSWER:
                    raise httpx2.DecodingError(f"the answer has more than {LONGEST_ANSWER} bytes")
            return httpx2.Response(response.status_code, headers=response.headers, content=bytes(content))


def _result(response: httpx2.Response) -> str:
    try:
        outputs: list[dict[str, Any]] = _document(response)["outputs"]
        return str(next(output["data"][0] for output in outputs if output["name"] == RESULT_TENSOR))
    except (ValueError, KeyError, IndexError, TypeError, StopIteration) as error:
        raise PredictorUnavailable("the predictor's answer holds no result") from error


def _refusal(predictor: str, response: httpx2.Response) -> Exception:
    status = response.status_code
    if status == httpx2.codes.TOO_MANY_REQUESTS:
        return PredictorBusy(retry_after(response.headers.get("Retry-After", "")))
    if status == httpx2.codes.NOT_FOUND:
        text = "its model is still loading, was unloaded, or the style names the wrong predictor"
        return PredictorUnavailable(f"the predictor {predictor} has no model named {predictor} (404): {text}")
    if status == httpx2.codes.UNAUTHORIZED:
        text = "operator and predictor were given different tokens (predictor.existingSecret); start both anew"
        return PredictorUnavailable(f"the predictor {predictor} does not know us (401): {text}")
    if status in _LATER:
        return PredictorUnavailable(f"the predictor {predictor} answers {status}")
    if status >= httpx2.codes.INTERNAL_SERVER_ERROR:
        return PredictorFailed(f"the predictor {predictor} met an error of its own ({status}): {_reason(response)}")
    return PredictorRefused(f"the predictor {predictor} refused the order ({status}): {_reason(response)}")


def _document(response: httpx2.Response) -> Any:
    """The answer's JSON. Raises ValueError for whatever is none, also for one that is too deep to be read."""
    try:
        return response.json()
    except RecursionError as error:
        raise ValueError("the answer is nested too deeply") from error


def _reason(response: httpx2.Response) -> str:
    """What the predictor says about its refusal, without anything that looks like a link."""
    try:
        document = _document(response)
        text = str(document.get("error") or document.get("detail") or "")
    except (ValueError, AttributeError):
        text = ""
    return re.sub(r"\S+://\S+", "[link]", text)[:300] or "no reason given"


def retry_after(value: str) -> float:
    """Seconds of a Retry-After header, which holds seconds or a date (RFC 9110)."""
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time())
    except ValueError:
        return DEFAULT_PAUSE_SECONDS
