"""A simulated SageMaker: control plane, lifecycle in simulated time, data plane, metrics, bills.

Rooms: `world` holds everything there is and its agenda of what happens next; `fleet`, `copies`,
`component_life`, `endpoint_life` are the engine; `*_api` the operations; `dataplane`, `async_plane`
and `container` answer requests; `publish` makes metrics; `truth` says what was billed. The choices
where SageMaker is undocumented are written in `settings`, at the top of each room and nowhere else.
"""

from tools.embedded.sagemaker.service import SageMakerService
from tools.embedded.sagemaker.settings import SimSettings

__all__ = ["SageMakerService", "SimSettings"]
