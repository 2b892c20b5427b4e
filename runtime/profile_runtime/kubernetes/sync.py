"""Calls of the Kubernetes API over `kubernetes`, for programs that wait for each answer."""

from __future__ import annotations

import json

import urllib3
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from .errors import ApiError, refusal, unreachable
from .resources import JSON, THEMSELVES, Acting, Document, Query, headers, managed


class Api:
    """One API server. Every call raises ApiError, or the kind of it that says why; ValueError for an address that no
    call can be sent to."""

    def __init__(
        self, api: client.ApiClient, *, seconds: float, manager: str = "", acting: Acting = THEMSELVES
    ) -> None:
        """`seconds`: the longest wait for an answer. `manager`: the name under which fields are written. `acting`: as
        whom, where not as whom the client's own credentials name."""
        self._api, self._seconds, self._manager, self._acting = api, seconds, manager, acting

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        query: Query = (),
        *,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> Document:
        """One call; the object that the API server answers, {} for an empty answer."""
        verb, url, sent_headers, *rest = self._api.param_serialize(
            method,
            path,
            query_params=managed(method, query, self._manager),
            header_params=headers(accept, content_type),
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            # A header for each group: the library's own headers have each name once.
            every_header = urllib3.HTTPHeaderDict(sent_headers)
            every_header.extend(self._acting.headers)
            response = self._api.call_api(verb, url, every_header, *rest, _request_timeout=self._seconds)
            data: bytes = response.read()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise unreachable(error) from error
        except ApiException as error:
            # What the library says itself, of certificates.
            raise ApiError(f"the API server cannot be asked: {error.reason}", message=str(error.reason)) from error
        if not 200 <= response.status < 300:
            raise refusal(response.status, data, response.reason or "")
        try:
            document = json.loads(data) if data else {}
        except (ValueError, RecursionError) as error:
            raise ApiError("the API server's answer is no JSON") from error
        if not isinstance(document, dict):
            raise ApiError("the API server's answer is no JSON object")
        return document
