"""A FastAPI application whose callers are known by the tokens of an authgate in another process.

    AUTHGATE_RESOURCES=http://localhost:8000 authgate serve --port 9000
    python examples/fastapi_app.py

A call to /me without a token says where to get one.
"""

import os
from typing import Annotated

import uvicorn
from fastapi import Depends, FastAPI

from authgate.adapters.fastapi import Authgate, Caller

PORT = int(os.environ.get("PORT", "8000"))
ISSUER = os.environ.get("ISSUER", "http://localhost:9000")
RESOURCE = os.environ.get("RESOURCE", f"http://localhost:{PORT}")

authgate = Authgate(issuer=ISSUER, resource=RESOURCE)
app = FastAPI()
authgate.install(app)


@app.get("/me")
async def me(caller: Annotated[Caller, Depends(authgate)]) -> dict[str, object]:
    return {"sub": caller.sub, "client_id": caller.client_id, "scopes": list(caller.scopes)}


@app.delete("/forecasts")
async def delete(
    caller: Annotated[Caller, Depends(authgate.requiring("weather:write"))],
) -> dict[str, object]:
    return {"deleted_by": caller.sub}


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "well"}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=PORT, log_level="warning")
