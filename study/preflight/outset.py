"""Outset: whether storage, databases and searches of a request can be used; tried once, first."""

from study.databases import in_new_storage, search_storage, tracking_uri
from study.preflight.prepare import check_storage
from study.request import Request
from study.search.sharing import SharedSearch
from study.selected import wanted_searches
from study.tracking.client import check_reachable
from study.tracking.relocation import settle


def checked(request: Request) -> list[SharedSearch]:
    """The searches that are wanted.

    Raises Invalid where they, the cache, the storage or a database cannot be used. A dry run writes
    nothing.
    """
    storage, uri = request.storage, tracking_uri(request)
    if request.cache_here:
        request.cache_here.check()
    wanted = wanted_searches(request, request.search) if request.search else []
    database = search_storage(request) if wanted else None
    check_storage(storage, writes=not request.dry_run)
    if not in_new_storage(uri, storage):
        if not request.dry_run:
            settle(uri, storage)
        check_reachable(uri)
    if database and not in_new_storage(database, storage):
        from study.search.database import check_database  # Optuna, which most studies need not

        check_database(database)
    return wanted
