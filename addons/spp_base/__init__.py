from . import http, models, tools
from .hooks import uninstall_hook
