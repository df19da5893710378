"""Programs of their own that run beside Duly: the sandbox provider, the demo ERP, a mail catcher."""
