"""copying"""

from tests.standin.errors import refuse


async def plan_copy(tokens, session):
    raise refuse("COPY")
