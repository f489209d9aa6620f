"""The Vega-Lite that draws the page's plots, as one script that needs no network."""

from functools import cache

import vl_convert


@cache
def bundle_vega() -> str:
    """A script that gives the window `vegaEmbed` and no other name; the same text every time.

    Raises:
        ValueError: the text would end the script element that it stands in.
    """
    code = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    if "</script" in code.lower() or "<!--" in code:
        raise ValueError("the bundle holds a tag; install vl-convert-python as it is locked")
    return f"(function () {{\n{code}\n}})();\n"
