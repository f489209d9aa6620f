import re
import shutil
import subprocess

import pytest

from report_page import build
from report_world import write_world

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
LONG = "x" * 200
# into the title: whether page and lineage are no wider than the window, and what marks an edge
MEASURE = """<script>
const wide = (element) => element.scrollWidth > element.clientWidth;
const [lineage, scroll] = ["#lineage", "main .scroll"].map((each) => document.querySelector(each));
document.title = [wide(document.documentElement), wide(lineage),
  getComputedStyle(scroll).backgroundAttachment].join("; ");
</script>"""


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium")
def test_on_a_phone_long_ids_are_broken_and_an_edge_that_hides_something_has_a_shadow(tmp_path):
    page = build(write_world(tmp_path)).replace("prompted (by claude)", LONG)
    assert LONG in page
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    path = tmp_path / "phone.html"
    before, end, after = page.rpartition("</body>")
    path.write_text(f"{before}{MEASURE}{end}{after}", encoding="utf-8")
    flags = "--headless --no-sandbox --disable-gpu --disable-background-networking --dump-dom"
    place = [f"--user-data-dir={tmp_path / 'profile'}", "--window-size=500,900", path.as_uri()]
    command = [CHROMIUM, *flags.split(), *place]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    title = re.search(r"<title>(.*?)</title>", run.stdout)[1]
    assert title == "false; false; local, local, scroll, scroll"
