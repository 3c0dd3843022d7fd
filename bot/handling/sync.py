"""Tells Discord of the commands, only when they have changed since it was last told."""

import hashlib
import json
import logging

from bot.handling.tree import LyricsTree
from bot.store import Store

log = logging.getLogger(__name__)


async def sync_if_changed(tree: LyricsTree, store: Store, application_id: int) -> bool:
    """Sync the global commands if they, or their translations, are not as last synced; return whether it did."""
    assert tree.translator is not None, "it is set before"
    definition = [await command.get_translated_payload(tree, tree.translator) for command in tree.get_commands()]
    fingerprint = hashlib.sha256(json.dumps(definition, sort_keys=True).encode()).hexdigest()
    if fingerprint == await store.command_fingerprint(application_id):
        return False
    await tree.sync()
    await store.set_command_fingerprint(application_id, fingerprint)
    log.info("Synced %d commands", len(definition))
    return True
