"""Where payers of the asynchronous pair tell us what became of payments."""

from odoo import http
from odoo.http import request

from ..models.payment_manager_async import PREFIX
from ..wire import callbacks


class Callbacks(http.Controller):
    @http.route(
        [f"{PREFIX}/<int:manager_id>/<path:path>"],
        type="http",
        auth="public",
        methods=["POST"],
        csrf=False,
        save_session=False,
    )
    def receive(self, manager_id, path, **_parameters):
        operation = callbacks.PATHS.get(path)
        if not operation:
            return self._answer(404, callbacks.http_error("err.request.not_found", "There is nothing here."))
        length = request.httprequest.content_length
        if length is None or length > callbacks.MOST:
            return self._answer(413, callbacks.http_error("err.request.bad", "The message is too large."))
        headers = request.httprequest.headers
        status, answer = request.env["spp.payment.manager"]._receive(
            manager_id,
            operation,
            request.httprequest.get_data(),
            headers.get("Authorization"),
            headers.get("Signature"),
        )
        return self._answer(status, answer)

    def _answer(self, status, answer):
        return request.make_json_response(answer, status=status)
