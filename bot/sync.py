"""Tells Discord of the commands, only when they have changed since it was last told."""

import hashlib
import json
import logging

from bot.store import Store
from bot.tree import LyricsTree

log = logging.getLogger(__name__)


async def sync_if_changed(tree: LyricsTree, store: Store, application_id: int) -> bool:
    """Sync the global commands if their definition differs from the last one synced; return whether it did."""
    definition = [command.to_dict(tree) for command in tree.get_commands()]
    fingerprint = hashlib.sha256(json.dumps(definition, sort_keys=True).encode()).hexdigest()
    if fingerprint == await store.command_fingerprint(application_id):
        return False
    await tree.sync()
    await store.set_command_fingerprint(application_id, fingerprint)
    log.info("Synced %d commands", len(definition))
    return True
