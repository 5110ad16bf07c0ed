# SPP on Odoo 17.0's official image, which brings Odoo, wkhtmltopdf, the PostgreSQL client and the entrypoint.
# That image is Ubuntu 22.04 with Python 3.10; SPP needs 3.11. So a Python beside it holds the pinned packages,
# the same that `./spp` installs and the tests run with, and Odoo's source is linked into it.
FROM odoo:17.0

USER root

COPY requirements.txt requirements-odoo-17.0.txt /opt/spp/
ENV UV_PYTHON_INSTALL_DIR=/opt/python UV_NO_CACHE=1
RUN pip3 install --no-cache-dir uv==0.13.8 \
    && uv venv --managed-python --python 3.11 /opt/spp/venv \
    && uv pip install --python /opt/spp/venv/bin/python \
        -r /opt/spp/requirements.txt -r /opt/spp/requirements-odoo-17.0.txt \
    # queue_job asks for `odoo`, which is on no package index; apart from Odoo's own files, so on the addons path
    && uv pip install --python /opt/spp/venv/bin/python --no-deps --target /opt/spp/queue_job \
        odoo-addon-queue-job==17.0.1.5.4 \
    && ln -s /usr/lib/python3/dist-packages/odoo /opt/spp/venv/lib/python3.11/site-packages/odoo \
    && sed '1s|.*|#!/opt/spp/venv/bin/python|' /usr/bin/odoo > /opt/spp/venv/bin/odoo \
    && chmod 755 /opt/spp/venv/bin/odoo
ENV PATH=/opt/spp/venv/bin:$PATH

# Not /mnt/extra-addons: the base image declares it a volume, and an old one would hide a new image's addons.
COPY addons /opt/spp/addons
COPY docker/odoo.conf /etc/odoo/odoo.conf
COPY --chmod=755 docker/setup.sh /opt/spp/setup.sh

USER odoo
