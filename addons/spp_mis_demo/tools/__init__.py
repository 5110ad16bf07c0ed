from . import households, removal, story
