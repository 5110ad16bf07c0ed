"""Calling outside systems over HTTP. Plain Python: nothing here knows Odoo."""

from .client import Answer, AnswerLost, CallError, Client, NotSent, Unreadable
