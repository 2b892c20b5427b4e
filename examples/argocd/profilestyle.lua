-- A style is data: the API server has checked it, and nothing works on it.
return { status = "Healthy", message = obj.spec.title.en }
