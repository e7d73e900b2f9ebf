# Becomes the init of a small system, in namespaces of its own: systemd.sh FOLDER. What it would write to, and what
# would start at boot, is covered by empty folders: nothing of the machine outside is touched, and nothing of it started.
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /opt
cp -rL "$1" /opt/rpicluster
chmod -R a+rX /opt/rpicluster
# What is installed there changes /etc, which has the groups in it: it gets a copy.
mount -t tmpfs -o mode=755 tmpfs /mnt
cp -a /etc/. /mnt
mount --move /mnt /etc
for folder in /tmp /run /var/log /var/lib/systemd /etc/systemd/system /lib/systemd/system/*.target.wants; do
  mount -t tmpfs -o mode=755 tmpfs "$folder"
done
chmod 1777 /tmp
# These would empty /tmp and the like.
for unit in setup clean setup-dev; do
  ln -s /dev/null "/etc/systemd/system/systemd-tmpfiles-$unit.service"
done
mount -t proc proc /proc
ip link set lo up
# systemd does this itself, but not in a container: it needs it to hand credentials to services.
mount --make-rshared /
export container=test
exec /lib/systemd/systemd --system --unit=multi-user.target --log-level=warning --log-target=console --show-status=false
