from . import account_request
from . import approval_comment
