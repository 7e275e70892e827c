#!/usr/bin/env bash
# The book on a cluster: sets Debian's Slurm up on this machine, runs a command in it, and takes it down again. Run as root.
#   apt-get install munge slurmctld slurmd slurm-client
#   .venv/bin/pip install snakemake-executor-plugin-slurm
#   benchmarks/slurm.sh                       the small book, with profiles/slurm cut down to this machine
#   benchmarks/slurm.sh make book PROFILE=demo
# FERGAN_KILL=02_dcgan/kdef kills the job of that page once, when it has worked for FERGAN_KILL_AFTER (15) seconds.
# FERGAN_GPUS=1 lets the machine claim a GPU that it does not have: files stand for it, and jobs may ask for it.
set -euo pipefail
cd "$(dirname "$0")/.."
place=$(mktemp -d /tmp/slurm-XXXXXX)
host=$(hostname -s)
memory=$(awk '/MemTotal/ {print int($2 / 1024 * .95)}' /proc/meminfo)
conf=/etc/slurm # where a job looks for it; a job has no SLURM_CONF
[ ! -e $conf/slurm.conf ] || { echo "there is a $conf/slurm.conf: this machine has a Slurm already" >&2; exit 1; }
gpus=${FERGAN_GPUS:-0}
mkdir -p "$place"/{state,spool,run,profile} $conf
# As many jobs at once as there are cores: the small book needs less than the paper's.
sed -E "s/mem_mb: [0-9]+/mem_mb: $((memory / $(nproc) - 500))/; s/01_data: 4 .*/01_data: 1/; \
        s/status-checks: .*/status-checks: ${FERGAN_LOOK:-5}/" profiles/slurm/config.yaml > "$place/profile/config.yaml"
((gpus)) || sed -i 's/, gpu: 1//' "$place/profile/config.yaml"
export FERGAN_WORKFLOW=$place/profile
cat > "$conf/slurm.conf" <<CONF
ClusterName=one
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
CryptoType=crypto/munge
StateSaveLocation=$place/state
SlurmdSpoolDir=$place/spool
SlurmctldPidFile=$place/run/slurmctld.pid
SlurmdPidFile=$place/run/slurmd.pid
SlurmctldLogFile=$place/slurmctld.log
SlurmdLogFile=$place/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MinJobAge=3600
ReturnToService=2
MpiDefault=none
$( ((gpus)) && echo GresTypes=gpu )
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=$memory $( ((gpus)) && echo Gres=gpu:$gpus )
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
if ((gpus)); then
    for number in $(seq 0 $((gpus - 1))); do touch "$place/gpu$number"; done
    echo "Name=gpu File=$place/gpu[0-$((gpus - 1))]" > "$conf/gres.conf"
fi

munge -n > /dev/null 2>&1 || { install -d -o munge -g munge /run/munge; runuser -u munge -- munged --force; started=1; }
slurmctld
slurmd
end() {
    scancel --user root > /dev/null 2>&1 || true
    for _ in $(seq 30); do [ -z "$(squeue --noheader)" ] || sleep 1; done
    for daemon in slurmd slurmctld; do kill "$(cat "$place/run/$daemon.pid")" || true; done
    [ -z "${started:-}" ] || kill "$(cat /run/munge/munged.pid)" || true
    sleep 1
    rm -rf "$place" "$conf"/{slurm,gres}.conf
}
trap end EXIT
until [ "$(sinfo --noheader --format %T)" = idle ]; do sleep 1; done
sinfo

# Kill a page's job, as a node that fails would: the page and its kernel, at once.
kill_once() {
    until [ -n "$(pgrep -f "[f]ergan page $FERGAN_KILL ")" ]; do sleep 1; done
    sleep "${FERGAN_KILL_AFTER:-15}"
    job=$(pgrep -f "[f]ergan page $FERGAN_KILL " | head -1 | xargs -I{} sh -c "tr '\0' '\n' < /proc/{}/environ" | sed -n 's/^SLURM_JOB_ID=//p')
    scancel --signal KILL --full "$job"
    echo "killed job $job of $FERGAN_KILL after ${FERGAN_KILL_AFTER:-15} s"
}
[ -z "${FERGAN_KILL:-}" ] || kill_once &

start=$(date +%s)
if (($#)); then "$@"; else .venv/bin/python -m fergan book --profile quick; fi
echo "took $(($(date +%s) - start)) s; jobs: $(($(scontrol show job --oneliner | grep -c '^JobId=')))"
scontrol show job --oneliner | sed -nE 's/^JobId=([0-9]+).* (JobState=[A-Z]+).* (RunTime=[0-9:-]+).* (NumCPUs=[0-9]+).* Comment=([^ ]*).*/\1 \2 \3 \4 \5/p'
