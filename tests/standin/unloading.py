"""unloading"""

from tests.standin.errors import refuse


async def plan_unload(tokens, session):
    raise refuse("UNLOAD")
