from . import http, models, tools
from .tools import quiet_log
from .hooks import uninstall_hook

quiet_log.install()
