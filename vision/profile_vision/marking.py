"""Honest marking: every file says that it is made by a model, in a form that machines read, and on demand visibly."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from .lettering import lettering
from .picture import Pixels

SOFTWARE = "Profile Studio"
# IPTC NewsCodes, Digital Source Type: 'created by a model trained on sampled content'.
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
STATEMENT = "AI-generated portrait. Not valid for official identification."
VISIBLE = "AI-generated"

# An XMP packet (ISO 16684-1) with IPTC's extension schema.
XMP = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"
 Iptc4xmpExt:DigitalSourceType="{SOURCE_TYPE}" xmp:CreatorTool="{SOFTWARE}">
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{STATEMENT}</rdf:li></rdf:Alt></dc:description>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>"""

_EXIF_SOFTWARE = 0x0131
_EXIF_DESCRIPTION = 0x010E


def exif() -> bytes:
    """EXIF with Software and ImageDescription."""
    tags = Image.Exif()
    tags[_EXIF_SOFTWARE] = SOFTWARE
    tags[_EXIF_DESCRIPTION] = STATEMENT
    return tags.tobytes()


def visibly_marked(image: Pixels) -> Pixels:
    """The BGR picture with 'AI-generated' in its lower right corner, legible on any ground."""
    height, width = image.shape[:2]
    size = max(9, round(0.028 * height))
    picture = Image.fromarray(np.ascontiguousarray(image[:, :, ::-1]))
    drawing = ImageDraw.Draw(picture)
    place = (width - size / 2, height - size / 2)
    drawing.text(
        place,
        VISIBLE,
        font=lettering(size),
        fill="white",
        anchor="rb",
        stroke_width=1,
        stroke_fill="black",
    )
    return np.ascontiguousarray(np.asarray(picture)[:, :, ::-1])
