from . import approval_comment
