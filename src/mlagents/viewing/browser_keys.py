"""Keys of the page: a script in it tells which are held, through a text field that shows them too."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from mlagents.viewing.hands import Hands, key_name

LABEL: Final = "keys held"
"""Of the text field; the script finds it by this."""

# `window.` is needed: in the handler of an element, which this becomes, names are looked up in the element first.
_SCRIPT: Final = """
(() => {
  const meanings = new Set(KEYS);
  if (window.mlagentsKeys) { window.mlagentsKeys(meanings); return; }
  let known = meanings, held = [];
  window.mlagentsKeys = (newer) => { known = newer; };
  const field = () => {
    const label = [...document.querySelectorAll('label')].find((each) => each.textContent === LABEL);
    let box = label;
    while (box && !box.querySelector('input')) box = box.parentElement;
    return box && box.querySelector('input');
  };
  const tell = () => {
    const input = field();
    if (!input) return;
    const setter = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set;
    setter.call(input, held.join(','));
    input.dispatchEvent(new Event('input', { bubbles: true }));
  };
  const name = (event) => (event.key.length === 1 ? event.key.toLowerCase() : event.key);
  const isTyped = (event) => /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) && event.target.type !== 'checkbox';
  const modified = (event) => event.ctrlKey || event.metaKey || event.altKey;
  window.addEventListener('keydown', (event) => {
    if (!field() || !known.has(name(event)) || isTyped(event) || modified(event)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (event.repeat || held.includes(name(event))) return;
    held.push(name(event));
    tell();
  }, true);
  window.addEventListener('keyup', (event) => {
    if (!held.includes(name(event))) return;
    held = held.filter((each) => each !== name(event));
    event.stopImmediatePropagation();
    tell();
  }, true);
  window.addEventListener('blur', () => { if (held.length) { held = []; tell(); } });
})()
"""

_OF_BROWSERS: Final = {"up": "ArrowUp", "down": "ArrowDown", "left": "ArrowLeft", "right": "ArrowRight", "space": " "}


class KeyField:
    """The text field and the script; there only while somebody plays, so that keys otherwise move the camera.

    Args:
      gui: of viser; the field stands where it is made.
      hands: told what is held.
    """

    def __init__(self, gui: Any, hands: Hands) -> None:
        self._hands = hands
        self._script: Any = gui.add_html("", visible=True)
        self._field: Any = gui.add_text(LABEL, "", visible=False, hint="hold keys while the pointer is over the scene")
        self._field.on_update(self._heed)

    def listen(self, names: Sequence[str]) -> None:
        """Let keys of these names play."""
        keys = json.dumps([_OF_BROWSERS.get(name, name) for name in names])
        script = _SCRIPT.replace("KEYS", keys).replace("LABEL", json.dumps(LABEL))
        self._field.visible = True
        self._script.content = inline_script(script)

    def ignore(self) -> None:
        """Give keys back to the camera."""
        self._field.visible = False
        self._script.content = ""
        self._hands.release()

    async def _heed(self, event: Any) -> None:
        self._hands.hold([key_name(name) for name in str(self._field.value).split(",") if name])


def inline_script(script: str) -> str:
    """Return HTML that runs a script where it is put into a page, in which `<script>` would not run."""
    escaped = " ".join(script.split()).replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return f'<img alt="" style="display:none" src="data:," onerror="{escaped}">'
