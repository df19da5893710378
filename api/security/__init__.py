"""The wall around the doors: cookies, sessions, cross-site checks, signed forms, headers, limits, safe paths.

The factory installs `wall.Wall` around everything else, `refusing.on_refused` for `Refused`, and `logs.keep_secrets_out`.
Pages take `sessions.portal_session` or `sessions.staff_may(role)` as a dependency, put `sessions.csrf_of(request)` into
the field `csrf` of each form, sign the forms that move money (`forms.FormSigner`) and read return paths through
`paths.safe_path`.
"""
