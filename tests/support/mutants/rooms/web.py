"""Bugs that the tests of web must see."""

MUTANTS = (
    (
        "W01",
        "images/web/profile_web/app.py",
        "if request.method not in SAFE_METHODS and PAGE_HEADER not in request.headers:",
        "if False:",
        "CSRF guard off",
    ),
    (
        "W02",
        "images/web/profile_web/cluster.py",
        'if found["metadata"].get("labels", {}).get(OWNER_LABEL) != visitor.owner:',
        "if False:",
        "anybody's request can be read",
    ),
    (
        "W03",
        "images/web/profile_web/app.py",
        "\"frame-ancestors 'none'\"",
        '""',
        "page may be framed",
    ),
    (
        "W04",
        "images/web/profile_web/app.py",
        '"no-store" if request.url.path.startswith("/api/") else "no-cache"',
        '"no-cache"',
        "links to faces may be stored by caches",
    ),
    (
        "W05",
        "images/web/profile_web/app.py",
        ("    if name not in await page.grants.names(page.prefix(visitor, draft)):\n        raise Refused(404"),
        ("    if False:\n        raise Refused(404"),
        "deleting a photo deletes by prefix",
    ),
    (
        "W06",
        "images/web/profile_web/grants.py",
        ("        policy.add_content_length_range_condition(FEWEST_BYTES, most_bytes)\n"),
        "",
        "upload size not limited by the store",
    ),
    (
        "W07",
        "images/web/profile_web/visitor.py",
        'if sign_in.mode == "Local":',
        'if sign_in.mode == "Local" and not headers:',
        "headers count in local mode",
    ),
    (
        "W08",
        "images/web/profile_web/app.py",
        "if len(taken) + len(wish.photos) > limits.most_photos:",
        "if len(wish.photos) > limits.most_photos:",
        "photos that are there already do not count",
    ),
    (
        "W09",
        "images/web/profile_web/wishes.py",
        "candidates=min(32, 2 * wish.portraits),",
        "candidates=wish.portraits,",
        "page asks for no candidates to choose from",
    ),
    (
        "K10",
        "images/web/profile_web/grants.py",
        "UPLOAD_SECONDS, PICTURE_SECONDS = 1800, 3600",
        "UPLOAD_SECONDS, PICTURE_SECONDS = 1800, 604800",
        "the page's links to faces live a week, not the documented hour",
    ),
)
