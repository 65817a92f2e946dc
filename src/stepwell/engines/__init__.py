"""Where tasks are executed. Each engine implements `kernel.ports.Engine` and knows neither graph nor store's records.

local        worker processes on this machine, supervised; the default
inprocess    one task after the other in this process, for debuggers
machine      processors, memory, and what says that memory ran out
link         the driver's end of one worker
supervisor   the driver's end of the template process that makes workers
admission    which tasks may run at once
"""
