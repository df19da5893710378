"""The way in for customers: portal links, 'link expired', signing out. `api.access.links.router`."""
