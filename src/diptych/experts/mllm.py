"""A multimodal language model behind any address that speaks OpenAI's chat protocol.

Whoever asks hands over messages (text and pictures) and a pydantic model of the answer, and gets an instance of that
model or a :class:`DescribeError`: an answer that never became valid is a failure on record, never something made up.
The paper asks Gemini 2.5 (section 5.1); here the model is whatever the address serves.

An answer is data from a stranger. Its size is bounded before it is parsed, it has to fit its schema, control characters
are taken out, and nothing in it is ever used as a path, an option or an instruction. The key is read from a variable of
the environment, sent to that one address (redirects are not followed), and taken out of whatever comes back.
"""

from __future__ import annotations

import base64
import collections
import dataclasses
import hashlib
import io
import json
import os
import random
import re
import threading
import time
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar
from urllib.parse import urlsplit

import numpy as np
from PIL import Image
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from diptych.files import write_json, writing_errors
from diptych.types import InputError, Picture

_FORMAT = 1
_LARGEST_BODY = 4 << 20
"""Bytes of a whole reply over HTTP; a description has a few thousand."""
_LARGEST_ANSWER = 1 << 16
_IMAGE_TOKENS = 1100
"""What a picture is taken to cost before the endpoint has said: about what is published for 768 x 768."""
_FATAL = {
    401: "refused the key",
    402: "wants to be paid",
    403: "does not allow it",
    404: "does not know that model or path",
}
_AGAIN = {408, 409, 425, 429}
_DEAD_AFTER = 3
"""So many questions in a row that failed on the way, each after all its attempts, and no further one is tried."""


class DescribeError(Exception):
    """The endpoint gave no answer that can be used. One sentence; never the key, never the answer itself."""


class LimitError(DescribeError):
    """A limit that the user set was reached, or the endpoint cannot be used at all: no further question is asked."""


@contextmanager
def limits_told() -> Iterator[None]:
    """What no further question can follow is told to the user.

    Raises:
        InputError: in the place of a :class:`LimitError`; the same command goes on, since answers are kept.
    """
    try:
        yield
    except LimitError as error:
        raise InputError(f"{error} Run it again to go on where it stopped.") from None


# --- what is asked, and of whom -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Endpoint:
    """Whom to ask, how hard to try and how much to spend. Holds no secret: the key's *variable* is named.

    Attributes:
        base_url: address up to and without ``/chat/completions``.
        model: as the address names it.
        api_key_env: environment variable that holds the key; None where none is needed.
        timeout_s: seconds for the reply to begin, and as many again for it to end.
        attempts: requests for one question, >= 1.
        backoff_s: seconds before the second attempt; doubled each time, times a random 0.5 to 1.5.
        longest_wait_s: no wait is longer; an endpoint that asks for more is given up.
        parallel: questions on the way at a time, >= 1.
        requests_per_minute: started by this client, evenly spread; None for no limit.
        max_requests: by this client, repeated ones included; None for no limit.
        max_tokens: in and out together; None for no limit.
        max_cost: in the currency of the prices; None for no limit.
        price_in: of a million tokens sent.
        price_out: of a million tokens received.
        answer_tokens: the longest answer, a model's thinking included.
        temperature: of sampling; the endpoint's own where nothing is said.
        reasoning_effort: how much a thinking model may think, where the endpoint knows the word.
        picture_side: longer side of pictures as sent, pixels.
        pictures: at most so many in one question.
        jpeg_quality: 1 .. 95.
    """

    base_url: str
    model: str
    api_key_env: str | None = None
    timeout_s: float = 120.0
    attempts: int = 5
    backoff_s: float = 1.0
    longest_wait_s: float = 120.0
    parallel: int = 4
    requests_per_minute: float | None = None
    max_requests: int | None = None
    max_tokens: int | None = None
    max_cost: float | None = None
    price_in: float | None = None
    price_out: float | None = None
    answer_tokens: int = 4096
    temperature: float | None = None
    reasoning_effort: str | None = None
    picture_side: int = 512
    pictures: int = 16
    jpeg_quality: int = 85


class Answer(BaseModel):
    """What answers derive from: exactly the fields named, of exactly their types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def line(text: str) -> str:
    """Text from a stranger as one harmless line: no control or invisible characters, no line breaks.

    Raises:
        ValueError: if nothing is left.
    """
    seen = "".join(" " if character.isspace() else character for character in text)
    kept = "".join(character for character in seen if not unicodedata.category(character).startswith("C"))
    kept = " ".join(kept.split())
    if not kept:
        raise ValueError("no text")
    return kept


Line = Annotated[str, Field(max_length=2000), AfterValidator(line)]
"""One line of text of at most 2000 characters, for fields of answers."""

A = TypeVar("A", bound=BaseModel)


@dataclass(frozen=True, eq=False)
class Message:
    """One turn of a conversation.

    Attributes:
        role: who speaks.
        parts: text, and pictures as RGB, uint8, ``(h, w, 3)``, in the order in which they are to be read.
    """

    role: Literal["system", "user", "assistant"]
    parts: tuple[str | Picture, ...]


@dataclass(frozen=True, eq=False)
class Question(Generic[A]):
    """Messages and the form of their answer.

    Attributes:
        messages: the conversation so far.
        schema: what the answer must be.
        repeat: the same question asked again on purpose gets another number, so that it is not answered from disk.
    """

    messages: Sequence[Message]
    schema: type[A]
    repeat: int = 0


@dataclass(frozen=True)
class Spent:
    """What a client has used up.

    Attributes:
        requests: sent, repeated ones included.
        answered: questions answered by the endpoint.
        from_disk: questions answered from disk.
        failed: questions without an answer.
        tokens_in: sent.
        tokens_out: received.
        estimated: requests whose tokens were not reported and are counted by estimate.
        cost: in the currency of the prices; None without prices.
    """

    requests: int = 0
    answered: int = 0
    from_disk: int = 0
    failed: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    estimated: int = 0
    cost: float | None = None

    def sentence(self) -> str:
        """The report for people."""
        cost = "" if self.cost is None else f", cost {self.cost:.4f}"
        guess = f" (of {self.estimated} requests by estimate)" if self.estimated else ""
        return (
            f"{self.answered} answered, {self.from_disk} from disk, {self.failed} failed; {self.requests} requests, "
            f"{self.tokens_in} tokens sent and {self.tokens_out} received{guess}{cost}"
        )


# --- the client -----------------------------------------------------------------------------------------------------


class MllmClient:
    """Asks one endpoint. Safe to use from several threads; its limits count for all of them together."""

    def __init__(self, endpoint: Endpoint, cache: Path | None = None) -> None:
        """Opens nothing yet but the package.

        Args:
            endpoint: whom to ask.
            cache: folder of answers given before, None to keep none.

        Raises:
            InputError: if the package, the key or a price is missing, or the address is none.
        """
        _check(endpoint)
        self.endpoint = endpoint
        self._key = _key_from(endpoint.api_key_env)
        self._cache = cache
        self._pace = _Pace(endpoint.requests_per_minute)
        self._ledger = _Ledger(endpoint)
        self._stopped = threading.Event()
        self._plain = False  # set once the endpoint has refused a schema
        self._random = random.Random()
        self._sdk, self._remote = _opened(endpoint, self._key)

    def ask(self, messages: Sequence[Message], schema: type[A], *, repeat: int = 0) -> A:
        """One answer.

        Args:
            messages: text and pictures.
            schema: what the answer must be; see :class:`Answer` and :data:`Line`.
            repeat: another number for every time that the same question is to be asked anew.

        Raises:
            DescribeError: if no usable answer came, after all attempts.
            LimitError: if a limit was reached, or the endpoint cannot be used at all.
            InputError: if the answer cannot be written to disk.
        """
        payload = self._payload(messages)
        file = self._file_of(payload, schema, repeat)
        found = _read_answer(file, schema) if file else None
        if found is not None:
            self._ledger.count("from_disk")
            return found
        try:
            answer, tokens = self._asked(payload, schema)
        except DescribeError:
            self._ledger.count("failed")
            raise
        self._ledger.count("answered")
        if file:
            with writing_errors(file):
                file.parent.mkdir(parents=True, exist_ok=True)
            write_json(file, _entry(self.endpoint, answer, tokens))
        return answer

    def ask_many(self, questions: Iterable[Question[A]]) -> Iterator[A | DescribeError]:
        """Answers in the order of the questions, several on the way at a time.

        Questions are drawn as they are needed, so that pictures need not all be held at once. A question that failed
        yields its error and the rest goes on; after :class:`LimitError` what is on disk is still answered, and
        everything else yields that.
        """

        def one(question: Question[A]) -> A | DescribeError:
            try:
                return self.ask(question.messages, question.schema, repeat=question.repeat)
            except DescribeError as error:
                return error

        waiting: collections.deque[Future[A | DescribeError]] = collections.deque()
        with ThreadPoolExecutor(self.endpoint.parallel, thread_name_prefix="mllm") as pool:
            try:
                for question in questions:
                    waiting.append(pool.submit(one, question))
                    if len(waiting) >= 2 * self.endpoint.parallel:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            except BaseException as end:
                for future in waiting:
                    future.cancel()
                if not isinstance(end, GeneratorExit):  # stopped from the keyboard, rather than enough for the caller
                    self._stopped.set()
                raise

    def spent(self) -> Spent:
        """What was used up so far."""
        return self._ledger.spent()

    def close(self) -> None:
        """Closes the connections; the client cannot be used afterwards."""
        self._remote.close()

    # --- one question ---

    def _payload(self, messages: Sequence[Message]) -> list[dict[str, Any]]:
        """The messages as the protocol has them, pictures as bounded JPEG in base64."""
        count = sum(not isinstance(part, str) for message in messages for part in message.parts)
        if count > self.endpoint.pictures:
            raise ValueError(f"{count} pictures in one question, at most {self.endpoint.pictures}")
        return [_as_sent(message, self.endpoint) for message in messages]

    def _file_of(self, payload: list[dict[str, Any]], schema: type[BaseModel], repeat: int) -> Path | None:
        """Where the answer lies: a hash of everything that could change it, and nothing else."""
        if self._cache is None:
            return None
        asked = {
            "format": _FORMAT,
            "base_url": self.endpoint.base_url,
            "model": self.endpoint.model,
            "temperature": self.endpoint.temperature,
            "reasoning_effort": self.endpoint.reasoning_effort,
            "answer_tokens": self.endpoint.answer_tokens,
            "messages": payload,
            "schema": schema.model_json_schema(),
            "repeat": repeat,
        }
        name = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
        return self._cache / name[:2] / f"{name}.json"

    def _asked(self, payload: list[dict[str, Any]], schema: type[A]) -> tuple[A, tuple[int, int]]:
        """Asks until an answer fits, or attempts or limits end."""
        estimate = (_tokens_of(payload), self.endpoint.answer_tokens)
        plain = self._plain
        trouble: _RequestError | None = None
        attempt = 0
        while attempt < self.endpoint.attempts:
            if trouble is not None:
                self._wait(attempt, trouble)
            self._ledger.begin(estimate)
            used: tuple[int, int] | None = (0, 0)
            try:
                self._pace.wait(self._stopped)
                used = None  # on the way: whatever happens now may have been counted
                body = self._sent(payload, schema, plain, trouble)
                used = body.tokens()
                answer = _fitting(body, schema)
            except _RequestError as error:
                trouble = error
                used = used if error.perhaps_counted else (0, 0)
            else:
                self._plain = plain
                self._ledger.reached(True)
                return answer, used or estimate
            finally:
                self._ledger.settle(estimate, used)
            if trouble.halts:
                raise self._ledger.halt(self._told(trouble))
            if trouble.refuses_form and not plain:
                plain = True  # an older server: the schema goes into the text instead, which costs no attempt
                continue
            attempt += 1
            if not trouble.again:
                break
        assert trouble is not None  # for the type checker: there is at least one attempt
        self._ledger.reached(not trouble.on_the_way)
        raise DescribeError(self._told(trouble, attempt))

    def _wait(self, attempt: int, trouble: _RequestError) -> None:
        """Backs off; where the endpoint said for how long, nobody else of this client asks in the meantime either."""
        if trouble.retry_after is not None:
            if trouble.retry_after > self.endpoint.longest_wait_s:
                raise self._ledger.halt(
                    f"{self.endpoint.base_url} asks to be left alone for {trouble.retry_after:.0f} s, and no more than "
                    f"{self.endpoint.longest_wait_s:.0f} s are waited; start again later: what was answered is kept."
                )
            self._pace.hold(trouble.retry_after)
        if attempt and not trouble.wrong_form:
            longest = min(self.endpoint.backoff_s * 2 ** (attempt - 1), self.endpoint.longest_wait_s)
            self._stopped.wait(longest * self._random.uniform(0.5, 1.5))

    def _sent(
        self, payload: list[dict[str, Any]], schema: type[BaseModel], plain: bool, before: _RequestError | None
    ) -> _Body:
        """One request, and its reply as far as it is the protocol's.

        Args:
            payload: the messages.
            schema: of the answer.
            plain: whether the endpoint knows neither schemas nor the newer name of the token limit.
            before: what was wrong with the last attempt.

        Raises:
            _RequestError: if there is no such reply.
        """
        messages = list(payload)
        wrong = f"Your last answer could not be used: it {before}. " if before is not None and before.wrong_form else ""
        if plain or wrong:
            form = json.dumps(_portable(schema.model_json_schema()))
            messages.append({"role": "user", "content": f"{wrong}Answer only with JSON of this schema: {form}"})
        sdk = self._sdk
        try:
            raw = self._remote.chat.completions.with_raw_response.create(
                messages=messages, **self._options(schema, plain)
            )
            text = self._without_key(raw.http_response.text)
        except sdk.APIStatusError as error:
            told = _reason(self._without_key(error.response.text))
            raise _status_trouble(error.status_code, error.response.headers, told) from None
        except sdk.APITimeoutError:
            raise _RequestError("gave no reply in time", again=True, on_the_way=True, perhaps_counted=True) from None
        except sdk.APIConnectionError as error:
            if isinstance(error.__cause__, _RequestError):
                raise error.__cause__ from None
            reason = type(error.__cause__).__name__ if error.__cause__ is not None else "no connection"
            lost = "Connect" not in reason  # the request may have been served
            raise _RequestError(
                f"cannot be reached ({reason})", again=True, on_the_way=True, perhaps_counted=lost
            ) from None
        except sdk.OpenAIError as error:
            raise _RequestError(f"could not be asked ({type(error).__name__})", again=True, on_the_way=True) from None
        try:
            return _Body.model_validate_json(text)
        except ValidationError:
            said = "a page" if text.lstrip()[:1] == "<" else "something"
            raise _RequestError(f"sent {said} that is no chat completion", again=True, perhaps_counted=True) from None

    def _options(self, schema: type[BaseModel], plain: bool) -> dict[str, Any]:
        options: dict[str, Any] = {"model": self.endpoint.model}
        if plain:
            options["max_tokens"] = self.endpoint.answer_tokens
        else:
            form = {"name": schema.__name__, "strict": True, "schema": _portable(schema.model_json_schema())}
            options["max_completion_tokens"] = self.endpoint.answer_tokens
            options["response_format"] = {"type": "json_schema", "json_schema": form}
        if self.endpoint.temperature is not None:
            options["temperature"] = self.endpoint.temperature
        if self.endpoint.reasoning_effort is not None:
            options["reasoning_effort"] = self.endpoint.reasoning_effort
        return options

    def _told(self, trouble: _RequestError, attempts: int = 0) -> str:
        """The sentence for people."""
        times = f" ({attempts} attempts)" if attempts > 1 else ""
        return self._without_key(f"{self.endpoint.model} at {self.endpoint.base_url} {trouble}{times}.")

    def _without_key(self, text: str) -> str:
        """Text from outside without the key, whoever put it there."""
        return text.replace(self._key, "[key]") if self._key else text


# --- replies --------------------------------------------------------------------------------------------------------


class _RequestError(Exception):
    """One request came to nothing.

    Attributes:
        again: whether another attempt may help.
        halts: whether no question can be answered.
        on_the_way: whether the endpoint did not get to answer at all.
        wrong_form: whether an answer came that does not fit.
        refuses_form: whether the request was called wrong, perhaps for what older servers do not know.
        perhaps_counted: whether tokens may have been spent.
        retry_after: seconds that the endpoint asks to be left alone.
    """

    def __init__(
        self,
        text: str,
        *,
        again: bool = False,
        halts: bool = False,
        on_the_way: bool = False,
        wrong_form: bool = False,
        refuses_form: bool = False,
        perhaps_counted: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(text)
        self.again, self.halts, self.on_the_way = again, halts, on_the_way
        self.wrong_form, self.refuses_form = wrong_form, refuses_form
        self.perhaps_counted, self.retry_after = perhaps_counted, retry_after


class _Said(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Said
    finish_reason: str | None = None


class _Body(BaseModel):
    """What is read of a reply; the rest of the protocol is not looked at."""

    choices: Annotated[list[_Choice], Field(min_length=1)]
    usage: Any = None

    def tokens(self) -> tuple[int, int] | None:
        """Tokens in and out, where they are told and can be."""
        told = self.usage if isinstance(self.usage, dict) else {}
        counts = (told.get("prompt_tokens"), told.get("completion_tokens"))
        if not all(type(count) is int and 0 <= count < 1 << 31 for count in counts):
            return None
        return int(counts[0]), int(counts[1])  # type: ignore[arg-type]


def _fitting(body: _Body, schema: type[A]) -> A:
    """The answer in the reply.

    Raises:
        _RequestError: if it does not fit its schema.
    """
    choice = body.choices[0]
    if choice.message.refusal or choice.finish_reason == "content_filter":
        raise _RequestError("declined to answer", perhaps_counted=True)
    if choice.finish_reason == "length":
        raise _RequestError("ran out of answer tokens", again=True, wrong_form=True, perhaps_counted=True)
    text = choice.message.content or ""
    if len(text) > _LARGEST_ANSWER:
        raise _RequestError(f"answered with {len(text)} characters", again=True, wrong_form=True, perhaps_counted=True)
    try:
        return schema.model_validate_json(_unwrapped(text))
    except ValidationError as error:
        # Where and why, in pydantic's words; what was said stays out of it.
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"] if isinstance(step, int) or step in schema.model_fields)
        reason = f"{first['type'].replace('_', ' ')}{f' at {where}' if where else ''}"
        raise _RequestError(
            f"did not answer in the form asked for: {reason}", again=True, wrong_form=True, perhaps_counted=True
        ) from None


def _unwrapped(text: str) -> str:
    """JSON without the fence or the thinking aloud that some models put around it."""
    text = re.sub(r"\A\s*<think>.*?</think>", "", text, flags=re.DOTALL).strip()
    fence = re.fullmatch(r"```(?:json)?[ \t]*\r?\n(.*?)\r?\n?```", text, re.DOTALL | re.IGNORECASE)
    return fence[1] if fence else text


def _status_trouble(status: int, headers: Mapping[str, str], told: str) -> _RequestError:
    said = f": {told}" if told else ""
    if status in _FATAL:
        return _RequestError(f"{_FATAL[status]} (HTTP {status}{said})", halts=True)
    if 300 <= status < 400:
        return _RequestError(f"is elsewhere by now (HTTP {status}); give its new address", halts=True)
    again = status in _AGAIN or status >= 500
    return _RequestError(
        f"could not answer (HTTP {status}{said})",
        again=again,
        on_the_way=again,
        refuses_form=status in (400, 422),
        retry_after=_retry_after(headers) if again else None,
    )


def _reason(body: str) -> str:
    """What an endpoint says of its failure, in the shapes that are about; one short line, or nothing."""
    try:
        told = json.loads(body)
        for name in ("error", "message", "detail"):
            told = told[name] if isinstance(told, dict) and name in told else told
    except (ValueError, RecursionError):
        told = "" if body.lstrip()[:1] == "<" else body
    try:
        return line(told if isinstance(told, str) else json.dumps(told))[:200]
    except ValueError:
        return ""


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that an endpoint asks to be left alone: a number or a date, as HTTP has it."""
    text = headers.get("retry-after")
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            until = parsedate_to_datetime(text)
        except (ValueError, TypeError):
            return None
        until = until if until.tzinfo else until.replace(tzinfo=timezone.utc)
        seconds = (until - datetime.now(timezone.utc)).total_seconds()
    return max(seconds, 0.0) if seconds < 1e9 else None  # NaN compares false


# --- requests -------------------------------------------------------------------------------------------------------


def _as_sent(message: Message, endpoint: Endpoint) -> dict[str, Any]:
    if all(isinstance(part, str) for part in message.parts):
        return {"role": message.role, "content": "\n\n".join(str(part) for part in message.parts)}
    return {
        "role": message.role,
        "content": [
            {"type": "text", "text": part}
            if isinstance(part, str)
            else {"type": "image_url", "image_url": {"url": _jpeg(part, endpoint)}}
            for part in message.parts
        ],
    }


def _jpeg(picture: Picture, endpoint: Endpoint) -> str:
    """A data URL of a picture of bounded size."""
    image = Image.fromarray(np.ascontiguousarray(picture))
    image.thumbnail((endpoint.picture_side, endpoint.picture_side), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=endpoint.jpeg_quality)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def _tokens_of(payload: list[dict[str, Any]]) -> int:
    """A generous guess at the tokens of a question: three characters of text each, and a sum for every picture."""
    total = 0
    for message in payload:
        content = message["content"]
        for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            total += 8 + (len(part["text"]) // 3 if part["type"] == "text" else _IMAGE_TOKENS)
    return total


_UNPORTABLE = {
    "title", "default", "minLength", "maxLength", "pattern", "format", "minimum", "maximum", "exclusiveMinimum",
    "exclusiveMaximum", "multipleOf", "minItems", "maxItems",
}  # fmt: skip
"""Words of JSON Schema that not every endpoint takes; the answer is checked against all of them here."""


def _portable(schema: Any) -> Any:
    if isinstance(schema, dict):
        # Below "properties" the keys are names of fields, whatever they look like.
        return {
            key: {name: _portable(inner) for name, inner in value.items()} if key == "properties" else _portable(value)
            for key, value in schema.items()
            if key not in _UNPORTABLE
        }
    return [_portable(inner) for inner in schema] if isinstance(schema, list) else schema


def _check(endpoint: Endpoint) -> None:
    """Raises InputError for what cannot work."""
    try:
        parts = urlsplit(endpoint.base_url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise InputError("--endpoint is no address; give one as http://localhost:8000/v1.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise InputError(
            "--endpoint carries a password or a query, which would end up in records; give the plain address, and the "
            "key in an environment variable."
        )
    if not endpoint.model:
        raise InputError("--mllm is missing; name the model as the endpoint calls it.")
    if endpoint.max_cost is not None and (endpoint.price_in is None or endpoint.price_out is None):
        raise InputError("--max-cost needs --price-in and --price-out, the prices of a million tokens.")
    if endpoint.attempts < 1 or endpoint.parallel < 1 or endpoint.timeout_s <= 0 or endpoint.picture_side < 1:
        raise ValueError("attempts, parallel, timeout_s and picture_side are above zero")
    if endpoint.requests_per_minute is not None and endpoint.requests_per_minute <= 0:
        raise ValueError("requests_per_minute is above zero")


def _key_from(name: str | None) -> str | None:
    """The key in an environment variable.

    Raises:
        InputError: if there is none, or what was given is no name (and may be the key itself: it is not repeated).
    """
    if name is None:
        return None
    if not re.fullmatch(r"[A-Z_][A-Z0-9_]{0,63}", name):
        raise InputError("--api-key-env wants the NAME of an environment variable, such as OPENAI_API_KEY, not a key.")
    key = os.environ.get(name, "").strip()
    if not key:
        raise InputError(f"{name} is not set; put the key into that environment variable.")
    if not key.isascii() or not key.isprintable():
        raise InputError(f"{name} holds characters that no key has; set it anew.")
    return key


def _opened(endpoint: Endpoint, key: str | None) -> tuple[Any, Any]:
    """The package and its client, which only sends: retries, limits and reading are ours."""
    try:
        import httpx2
        import openai
    except ModuleNotFoundError as missing:
        if missing.name not in ("openai", "httpx2"):
            raise
        raise InputError("--endpoint needs a package that is not installed; pip install 'diptych[mllm]'.") from None

    class Bounded(httpx2.SyncByteStream):
        """A reply that ends with an error where it grows too large or takes too long."""

        def __init__(self, stream: httpx2.SyncByteStream) -> None:
            self._stream = stream

        def __iter__(self) -> Iterator[bytes]:
            size, until = 0, time.monotonic() + endpoint.timeout_s
            for chunk in self._stream:
                size += len(chunk)
                if size > _LARGEST_BODY:
                    raise _RequestError(f"sent more than {_LARGEST_BODY >> 20} MiB", again=True, perhaps_counted=True)
                if time.monotonic() > until:
                    raise _RequestError(
                        "did not finish its reply in time", again=True, on_the_way=True, perhaps_counted=True
                    )
                yield chunk

        def close(self) -> None:
            self._stream.close()

    def bound(response: httpx2.Response) -> None:
        # A compressed reply could grow a thousandfold after it was counted.
        if response.headers.get("content-encoding", "identity") != "identity":
            raise _RequestError("sent a compressed reply, which was not asked for", again=True, perhaps_counted=True)
        response.stream = Bounded(response.stream)  # type: ignore[arg-type]

    http = openai.DefaultHttpxClient(
        follow_redirects=False, timeout=endpoint.timeout_s, event_hooks={"response": [bound]}
    )
    client = openai.OpenAI(
        api_key=key or "none",
        base_url=endpoint.base_url.rstrip("/").removesuffix("/chat/completions"),
        max_retries=0,
        http_client=http,
        # Another provider's identifiers, which the package would take from the environment, are nobody's business here.
        default_headers={
            "Accept-Encoding": "identity",
            "OpenAI-Organization": openai.Omit(),  # type: ignore[dict-item]
            "OpenAI-Project": openai.Omit(),  # type: ignore[dict-item]
        },
    )
    return openai, client


# --- answers on disk ------------------------------------------------------------------------------------------------


def _entry(endpoint: Endpoint, answer: BaseModel, tokens: tuple[int, int]) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "model": endpoint.model,
        "tokens": list(tokens),
        "answer": answer.model_dump(mode="json"),
    }


def _read_answer(file: Path, schema: type[A]) -> A | None:
    """An answer from disk, checked like one from the endpoint; None where it is missing or damaged."""
    try:
        if file.stat().st_size > 2 * _LARGEST_ANSWER + 4096:
            return None
        entry = json.loads(file.read_text(encoding="utf-8"))
        return schema.model_validate_json(json.dumps(entry["answer"])) if entry["format"] == _FORMAT else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


# --- limits ---------------------------------------------------------------------------------------------------------


class _Pace:
    """Requests evenly spread over time, and silence while the endpoint asks for it."""

    def __init__(self, per_minute: float | None) -> None:
        self._interval = 60 / per_minute if per_minute else 0.0
        self._lock = threading.Lock()
        self._next = self._silent_until = 0.0

    def wait(self, stopped: threading.Event) -> None:
        """Returns when the next request may start."""
        while not stopped.is_set():
            with self._lock:
                now = time.monotonic()
                at = max(self._next, self._silent_until)
                if at <= now:
                    self._next = now + self._interval
                    return
            stopped.wait(at - now)
        raise LimitError("Stopped before the question was asked.")

    def hold(self, seconds: float) -> None:
        """Nothing starts for so long."""
        with self._lock:
            self._silent_until = max(self._silent_until, time.monotonic() + seconds)


class _Ledger:
    """Counts, and refuses what could exceed a limit.

    A request on the way counts by a generous estimate, or as much as the dearest so far, until the endpoint has told
    its tokens. Only the first ones, on the way together, can overshoot, and only where it counts more than estimated.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._lock = threading.Lock()
        self._counts: collections.Counter[str] = collections.Counter()
        self._tokens = [0, 0]
        self._pending: list[tuple[int, int]] = []
        self._dearest = [0, 0]
        self._lost_in_a_row = 0
        self._halted: str | None = None

    def _cost(self, tokens: Sequence[int]) -> float | None:
        prices = (self._endpoint.price_in, self._endpoint.price_out)
        if None in prices:
            return None
        return sum(price * count for price, count in zip(prices, tokens, strict=True) if price is not None) / 1e6

    def begin(self, estimate: tuple[int, int]) -> None:
        """Enters a request.

        Raises:
            LimitError: if it could exceed a limit, or the client was halted.
        """
        endpoint = self._endpoint
        with self._lock:
            if self._halted:
                raise LimitError(self._halted)
            coming = [
                [max(counts) for counts in zip(one, self._dearest, strict=True)] for one in (*self._pending, estimate)
            ]
            tokens = [sum(counts) for counts in zip(self._tokens, *coming, strict=True)]
            cost = self._cost(tokens)
            kept = "what was answered is kept, and a new start goes on from there"
            if endpoint.max_requests is not None and self._counts["requests"] >= endpoint.max_requests:
                raise LimitError(f"The limit of {endpoint.max_requests} requests is reached; {kept}.")
            if endpoint.max_tokens is not None and sum(tokens) > endpoint.max_tokens:
                raise LimitError(
                    f"The next request could exceed the limit of {endpoint.max_tokens} tokens "
                    f"({sum(self._tokens)} used, up to {sum(coming[-1])} a request); {kept}."
                )
            if endpoint.max_cost is not None and cost is not None and cost > endpoint.max_cost:
                used, one = self._cost(self._tokens) or 0.0, self._cost(coming[-1]) or 0.0
                raise LimitError(
                    f"The next request could exceed the cost limit of {endpoint.max_cost:g} "
                    f"({used:.4g} spent, up to {one:.4g} a request); {kept}."
                )
            self._counts["requests"] += 1
            self._pending.append(estimate)

    def settle(self, estimate: tuple[int, int], used: tuple[int, int] | None) -> None:
        """Puts what was told in the estimate's place; the estimate stays where nothing was."""
        with self._lock:
            self._pending.remove(estimate)
            self._tokens = [a + b for a, b in zip(self._tokens, used or estimate, strict=True)]
            self._dearest = [max(a, b) for a, b in zip(self._dearest, used or (0, 0), strict=True)]
            self._counts["estimated"] += used is None

    def reached(self, yes: bool) -> None:
        """Notes whether the endpoint answered; too many silences in a row halt the client."""
        with self._lock:
            self._lost_in_a_row = 0 if yes else self._lost_in_a_row + 1
            if self._lost_in_a_row >= _DEAD_AFTER:
                self._halted = (
                    f"{self._endpoint.base_url} failed for {_DEAD_AFTER} questions in a row; see that it runs and "
                    "start again: what was answered is kept."
                )

    def halt(self, reason: str) -> LimitError:
        """No further request; the error to raise."""
        with self._lock:
            self._halted = reason
        return LimitError(reason)

    def count(self, name: str) -> None:
        """One more of something."""
        with self._lock:
            self._counts[name] += 1

    def spent(self) -> Spent:
        """The sums."""
        with self._lock:
            names = {field.name for field in dataclasses.fields(Spent)} & set(self._counts)
            counts = {name: self._counts[name] for name in names}
            return Spent(**counts, tokens_in=self._tokens[0], tokens_out=self._tokens[1], cost=self._cost(self._tokens))
