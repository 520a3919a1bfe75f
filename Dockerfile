# The image for today's GPUs and for CPUs:
#
#   docker build -t ymir-mmdet .                                  GPUs from Turing on, driver 580 or newer
#   docker build -t ymir-mmdet:cpu --build-arg DEVICE=cpu \
#       --build-arg BUILDER_IMAGE=IMAGE --build-arg BASE_IMAGE=IMAGE .   any Debian or Ubuntu with Python 3.10 to 3.13
#
# docs/images.md has the other arguments. The stack for older drivers is Dockerfile.cu111.

# Both hold torch 2.13.0 and torchvision 0.28.0 in the Python of Ubuntu 24.04; devel has the CUDA compiler on top. They must
# have the same Python at the same place, since the virtual environment goes from one to the other.
ARG BUILDER_IMAGE=pytorch/pytorch:2.13.0-cuda13.0-cudnn9-devel
ARG BASE_IMAGE=pytorch/pytorch:2.13.0-cuda13.0-cudnn9-runtime


# --- everything that is installed, in one virtual environment -----------------------------------------------------------

FROM ${BUILDER_IMAGE} AS builder

RUN apt-get update && DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends build-essential python3-dev python3-venv && rm -rf /var/lib/apt/lists/*

# pip's own settings, for builds behind a mirror; nothing of them gets into the image.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_FIND_LINKS
ARG PIP_CERT

# cuda or cpu, and the GPUs that mmcv's operators are compiled for: those that torch's CUDA 13.0 build knows. PTX lets later
# ones compile at start-up.
ARG DEVICE=cuda
ARG TORCH_CUDA_ARCH_LIST="7.5 8.0 8.6 9.0 10.0 12.0+PTX"

# Packages of the system are seen: torch and torchvision are not installed twice where the base image has them.
RUN python3 -m venv --system-site-packages /opt/ymir-mmdet
COPY requirements/install.py requirements/default.txt requirements/dev.txt /build/requirements/
RUN python3 /build/requirements/install.py --venv /opt/ymir-mmdet --device ${DEVICE} \
    --wheel-cache /build/wheels

# torchvision, which some of mmdet's options use and no detector needs, where pip has a build of it that fits this torch.
# Then what only installing needs goes, and what torch brings for compiling and testing.
RUN cd /opt/ymir-mmdet && if ! bin/python -c 'import torchvision' 2> /dev/null; then \
        bin/python -m pip install -q --no-deps -c /build/requirements/default.txt torchvision; \
        bin/python -c 'import torchvision' 2> /dev/null \
            || { echo 'no torchvision for this torch: left out'; bin/python -m pip uninstall -q -y torchvision; }; \
    fi \
    && rm -rf lib/python3*/site-packages/torch/include lib/python3*/site-packages/torch/test \
    && bin/python -m pip uninstall -q -y ninja wheel pip


# --- optional pretrained weights ----------------------------------------------------------------------------------------

FROM ${BASE_IMAGE} AS weights

# Names of docker/weights.tsv and URLs, each with blanks between them, and the files of a folder of the build context.
ARG WEIGHTS=""
ARG WEIGHTS_URLS=""
ARG WEIGHTS_FOLDER=docker/weights
COPY ${WEIGHTS_FOLDER}/ /weights/
COPY docker/fetch_weights.py docker/weights.tsv /build/
RUN python3 /build/fetch_weights.py /weights ${WEIGHTS} ${WEIGHTS_URLS} && rm -f /weights/.gitkeep && chmod -R a+rX /weights


# --- a font for Chinese, Japanese and Korean names in pictures ----------------------------------------------------------

FROM ${BUILDER_IMAGE} AS fonts

RUN apt-get update && apt-get install -y --no-install-recommends fonts-wqy-microhei && rm -rf /var/lib/apt/lists/*


# --- the code, compiled, and what the platform looks for ----------------------------------------------------------------

FROM ${BASE_IMAGE} AS code

COPY start.py LICENSE training-template.yaml infer-template.yaml mining-template.yaml /image/opt/ymir-mmdet-code/
COPY desk/ /image/opt/ymir-mmdet-code/desk/
COPY executor/ /image/opt/ymir-mmdet-code/executor/
COPY mining/ /image/opt/ymir-mmdet-code/mining/
COPY configs/ /image/opt/ymir-mmdet-code/configs/
COPY demo/ /image/opt/ymir-mmdet-code/demo/
COPY proof/ /image/opt/ymir-mmdet-code/proof/
COPY docker/start.sh /image/usr/bin/start.sh
COPY docker/task docker/proof /image/usr/local/bin/
COPY docker/manifest.yaml docker/readme.md training-template.yaml infer-template.yaml mining-template.yaml /image/img-man/
# Compiled here since nobody can write there later; by content, since copying may change a file's time.
RUN cd /image/opt/ymir-mmdet-code && python3 -m compileall -q --invalidation-mode unchecked-hash start.py demo desk executor mining proof \
    && mkdir /image/in /image/out /image/work && chmod -R a+rX /image && chmod 755 /image/usr/bin/start.sh /image/usr/local/bin/* \
    && chmod 1777 /image/out


# --- what runs: no compiler, no pip, nothing of this repository but the code ----------------------------------------------

FROM ${BASE_IMAGE}

# A task may run under any user id, with no home and everything but /out and /tmp read-only. Libraries keep caches below HOME
# and ask for a user's name, which a foreign id does not have.
ENV PATH=/opt/ymir-mmdet/bin:$PATH \
    HOME=/tmp \
    LOGNAME=ymir \
    PYTHONUTF8=1 \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
COPY --from=builder /opt/ymir-mmdet /opt/ymir-mmdet
# The operators load in this image too, or the build ends: it may have another Python or another CUDA than the builder.
RUN ["python", "-W", "ignore", "-c", "import mmcv.ops"]
COPY --from=weights /weights /weights
COPY --from=fonts /usr/share/fonts/truetype/wqy /usr/share/fonts/truetype/wqy
COPY --from=fonts /usr/share/doc/fonts-wqy-microhei/copyright /usr/share/doc/fonts-wqy-microhei/copyright
COPY --from=code /image /

# Where the command `task` works if nothing is said: the user mounts a folder there.
WORKDIR /work
CMD ["bash", "/usr/bin/start.sh"]

ARG VERSION=0.1.0
ARG REVISION=unknown
ARG WEIGHTS=""
ARG WEIGHTS_URLS=""
LABEL org.opencontainers.image.title="ymir-mmdet" \
      org.opencontainers.image.description="YMIR's training, mining and inference tasks with mmdet's detectors" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${REVISION}" \
      ymir-mmdet.weights="${WEIGHTS} ${WEIGHTS_URLS}"
