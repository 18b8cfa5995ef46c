"""The one place that opens a stranger's image: which formats are read, how large, and how.

Takes the bytes of a JPEG or PNG, gives its size in stored pixels and a copy of the picture in grey or RGB, or
``PictureError`` with the reason, whatever the bytes are. The loop and the container both read with it, so
that what is asked can be learned, and model, duplicate check and report see what the reviewer's browser
shows. Label maps, whose colours are classes, are read as they are and written.
"""

from include.pictures.errors import MAX_PIXELS, MAX_SIDE, PictureError
from include.pictures.masks import CLEAR, read_colours, write_indexed
from include.pictures.orientation import AS_STORED, read_orientation
from include.pictures.reading import Picture, read
from include.pictures.sizes import START_BYTES, check_format, read_size

__all__ = [
    "AS_STORED",
    "CLEAR",
    "MAX_PIXELS",
    "MAX_SIDE",
    "START_BYTES",
    "Picture",
    "PictureError",
    "check_format",
    "read",
    "read_colours",
    "read_orientation",
    "read_size",
    "write_indexed",
]
