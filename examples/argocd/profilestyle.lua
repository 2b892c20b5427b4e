-- Whether a style can be drawn: the InferenceService that it names is there and answers. Argo CD runs this for both kinds.
local status = obj.status or {}
local title = obj.spec.title.en
-- Nobody looks after styles where no operator runs, and what was said of an earlier content says nothing of this one.
if status.observedGeneration ~= obj.metadata.generation then
  return { status = "Healthy", message = title }
end
for _, condition in ipairs(status.conditions or {}) do
  if condition.type == "Ready" and condition.status == "False" then
    local message = condition.reason .. ": " .. condition.message
    if condition.reason == "PredictorNotFound" then
      return { status = "Degraded", message = message }
    end
    return { status = "Progressing", message = message }
  end
end
return { status = "Healthy", message = title }
