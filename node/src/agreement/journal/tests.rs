use super::*;
use hamlet_consensus::identity::Signer;
use hamlet_consensus::{
    Application, Epoch, Input, Output, Replica, Settings, Terms, application::BadSnapshot,
    ed25519::Ed25519Signer, hash::Hash, time::Time,
};
use std::{
    env, fs,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    sync::Arc,
};

#[derive(Clone, Debug, Default, PartialEq)]
struct Words(Vec<u8>);

impl Application for Words {
    fn execute(&mut self, _height: u64, command: &[u8]) -> Vec<u8> {
        self.0.extend_from_slice(command);
        Vec::new()
    }

    fn snapshot(&self) -> Vec<u8> {
        self.0.clone()
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), BadSnapshot> {
        self.0 = snapshot.to_vec();
        Ok(())
    }
}

fn signer() -> Arc<Ed25519Signer> {
    Arc::new(Ed25519Signer::from_secret(&[1; 32]))
}

/// A cluster of one, which agrees with itself.
fn epoch(number: u64) -> Arc<Epoch> {
    let (terms, members) = (
        Terms {
            snapshot_every: 4,
            ..Terms::default()
        },
        vec![signer().id()],
    );
    Arc::new(Epoch::new(Hash([1; 32]), Hash([2; 32]), number, terms, members).unwrap())
}

/// The name of the epoch whose store is used.
const EPOCH: Tag = 7;

/// The journal of a peer whose key was just made, or has its journal.
fn open(path: &Path) -> Result<Journal, JournalError> {
    let unused = path.with_extension("unused");
    if !path.exists() {
        fs::write(&unused, "").unwrap();
    }
    Journal::open(path, &unused)
}

/// The records of the only store.
fn load(journal: &mut Journal) -> Result<Vec<Vec<u8>>, JournalError> {
    let stored = journal.load()?.stored;
    assert!(!stored.lost);
    Ok(stored
        .stores
        .into_iter()
        .next()
        .map_or(Vec::new(), |store| store.records))
}

fn start(path: &Path, number: u64) -> Result<(Journal, Replica<Words>), JournalError> {
    let mut journal = open(path)?;
    let records = load(&mut journal)?;
    let (words, settings) = (Words::default(), Settings::default());
    let replica = Replica::new(
        epoch(number),
        signer(),
        words,
        settings,
        &records,
        Time::ZERO,
    );
    match replica {
        Ok(replica) => Ok((journal, replica)),
        Err(error) => Err(journal.explain(error)),
    }
}

/// Gives the replica an input and carries out what it wants on disk.
fn drive(journal: &mut Journal, replica: &mut Replica<Words>, input: Input) {
    replica.handle(Time::ZERO, input);
    while let Some(output) = replica.poll() {
        match output {
            Output::Record(record) => journal.append(EPOCH, record).unwrap(),
            Output::Sync => journal.sync().unwrap(),
            Output::Rewrite(records) => journal.rewrite(EPOCH, records).unwrap(),
            _ => {}
        }
    }
}

fn submit(journal: &mut Journal, replica: &mut Replica<Words>, text: String) {
    drive(journal, replica, Input::Submit(vec![text.into()]));
}

#[test]
fn a_replica_comes_back_with_all_that_it_executed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agreement.redb");
    let mut words = Words::default();
    for round in 0..4 {
        let (mut journal, mut replica) = start(&path, 0).unwrap();
        assert_eq!(*replica.application(), words, "round {round}");
        drive(&mut journal, &mut replica, Input::Wake);
        for number in 0..5 {
            submit(&mut journal, &mut replica, format!("{round}.{number} "));
        }
        assert_eq!(replica.height(), 5 * (round + 1));
        words = replica.application().clone();
        journal.sync().unwrap();
    }
}

#[test]
fn only_what_was_not_synced_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agreement.redb");
    let mut journal = open(&path).unwrap();
    assert_eq!(load(&mut journal).unwrap(), Vec::<Vec<u8>>::new());
    journal.append(EPOCH, b"one".to_vec()).unwrap();
    journal.append(EPOCH, b"two".to_vec()).unwrap();
    journal.sync().unwrap();
    journal.append(EPOCH, b"three".to_vec()).unwrap();
    drop(journal);
    let mut journal = open(&path).unwrap();
    assert_eq!(load(&mut journal).unwrap(), [b"one", b"two"]);
    journal.rewrite(EPOCH, vec![b"four".to_vec()]).unwrap();
    journal.append(EPOCH, b"five".to_vec()).unwrap();
    journal.sync().unwrap();
    drop(journal);
    let mut journal = open(&path).unwrap();
    assert_eq!(load(&mut journal).unwrap(), [b"four", b"five"]);
}

#[test]
fn stores_of_epochs_come_and_go_with_what_led_to_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agreement.redb");
    let mut journal = open(&path).unwrap();
    journal.append(1, b"old".to_vec()).unwrap();
    journal.link(b"end of 1".to_vec()).unwrap();
    journal.begin(2, b"opening".to_vec()).unwrap();
    journal.append(2, b"new".to_vec()).unwrap();
    journal.sync().unwrap();
    journal.append(2, b"newer".to_vec()).unwrap();
    journal.forget(1).unwrap();
    journal.sync().unwrap();
    drop(journal);
    let mut journal = open(&path).unwrap();
    let stored = journal.load().unwrap().stored;
    assert_eq!(stored.links, [b"end of 1"]);
    let stores: Vec<_> = stored
        .stores
        .into_iter()
        .map(|store| (store.opening, store.records))
        .collect();
    assert_eq!(
        stores,
        [(
            b"opening".to_vec(),
            vec![b"new".to_vec(), b"newer".to_vec()]
        )]
    );
    journal.link(b"end of 2".to_vec()).unwrap();
    journal.append(2, b"newest".to_vec()).unwrap();
    journal.sync().unwrap();
    drop(journal);
    let stored = open(&path).unwrap().load().unwrap().stored;
    assert_eq!((stored.links.len(), stored.stores[0].records.len()), (2, 3));
}

#[test]
fn a_journal_that_is_gone_is_missed_until_an_epoch_is_begun() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agreement.redb");
    let unused = folder.path().join("key.unused");
    fs::write(&unused, "").unwrap();
    let lost = || {
        let content = Journal::open(&path, &unused).unwrap().load().unwrap();
        content.stored.lost.then_some(content.nonce)
    };
    assert_eq!(lost(), None);
    assert!(!unused.exists());
    assert_eq!(lost(), None);
    fs::remove_file(&path).unwrap();
    let nonce = lost();
    assert!(nonce.is_some_and(|nonce| nonce != [0; 16]));
    assert_eq!(lost(), nonce);
    let mut journal = Journal::open(&path, &unused).unwrap();
    journal.begin(3, b"opening".to_vec()).unwrap();
    journal.sync().unwrap();
    drop(journal);
    assert_eq!(lost(), None);
    // That something was lost once stays known.
    let content = open(&path).unwrap().load().unwrap();
    assert!(content.forgetful && Some(content.nonce) == nonce);
}

#[test]
fn a_journal_has_one_user() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agreement.redb");
    let _first = open(&path).unwrap();
    assert!(matches!(open(&path), Err(JournalError::InUse { .. })));
}

#[test]
fn another_epochs_journal_is_refused_and_the_error_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agreement.redb");
    let (mut journal, mut replica) = start(&path, 0).unwrap();
    submit(&mut journal, &mut replica, "word".into());
    drop(journal);
    let error = start(&path, 1).map(|_| ()).unwrap_err();
    assert!(matches!(error, JournalError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("agreement.redb"), "{error}");
    assert!(error.to_string().contains("new key"), "{error}");
}

/// Whatever is changed in the file: it is refused, or all records are there unchanged.
#[test]
fn damage_is_found_and_never_forgotten_votes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agreement.redb");
    let mut journal = open(&path).unwrap();
    let records: Vec<Vec<u8>> = (0..40).map(|number| vec![number; 300]).collect();
    for record in &records {
        journal.append(EPOCH, record.clone()).unwrap();
        journal.sync().unwrap();
    }
    drop(journal);
    let whole = fs::read(&path).unwrap();
    let mut refused = 0;
    let head = (0..512).step_by(3);
    let rest = (512..whole.len()).step_by(whole.len() / 200);
    let flipped = head.chain(rest).map(|at| {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x41;
        (format!("byte {at}"), bytes)
    });
    let cut = (0..20).map(|part| {
        let length = whole.len() / 20 * part;
        (format!("cut to {length} bytes"), whole[..length].to_vec())
    });
    for (what, bytes) in flipped.chain(cut).filter(|(_, bytes)| !bytes.is_empty()) {
        fs::write(&path, bytes).unwrap();
        match open(&path).and_then(|mut journal| load(&mut journal)) {
            Ok(read) => assert_eq!(read, records, "{what}"),
            Err(JournalError::Damaged { .. }) => refused += 1,
            Err(error) => panic!("{what}: {error}"),
        }
    }
    assert!(refused > 20, "{refused} damaged journals were refused");
}

/// What [`killed_at_any_moment`] runs and kills.
#[test]
fn child() {
    let Some(path) = env::var_os("HAMLET_TEST_JOURNAL") else {
        return;
    };
    let (mut journal, mut replica) = start(Path::new(&path), 0).unwrap();
    for number in replica.height() + 1.. {
        submit(&mut journal, &mut replica, format!("{number} "));
        println!("executed {}", replica.height());
    }
}

#[test]
fn killed_at_any_moment_it_comes_back_with_what_it_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agreement.redb");
    let mut said = 0;
    for round in 0..5 {
        let name = module_path!().split_once("::").unwrap().1;
        let mut child = Command::new(env::current_exe().unwrap())
            .args([&format!("{name}::child"), "--exact", "--nocapture"])
            .env("HAMLET_TEST_JOURNAL", &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut left = 3 + 4 * round;
        while left > 0 {
            let line = lines.next().expect("the child goes on").unwrap();
            if let Some((_, height)) = line.split_once("executed ") {
                said = height.parse().unwrap();
                left -= 1;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let (_, replica) = start(&path, 0).unwrap();
    // A vote is synced before anything is said of it; the certificate of one member's own votes follows from it.
    assert!(replica.height() >= said, "{} of {said}", replica.height());
    let words: String = (1..=replica.height())
        .map(|number| format!("{number} "))
        .collect();
    assert_eq!(String::from_utf8_lossy(&replica.application().0), words);
}

#[test]
fn who_settles_elsewhere_forgets_what_was_and_knows_nothing_until_an_epoch_is_begun() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agreement.redb");
    let mut journal = open(&path).unwrap();
    journal.link(b"end".to_vec()).unwrap();
    journal.begin(1, b"opening".to_vec()).unwrap();
    journal.append(1, b"vote".to_vec()).unwrap();
    journal.sync().unwrap();
    let home = Home {
        cluster: 7,
        left: [(0, 12)].into(),
    };
    journal.settle(home.clone()).unwrap();
    journal.link(b"another end".to_vec()).unwrap();
    journal.sync().unwrap();
    drop(journal);
    let mut journal = open(&path).unwrap();
    let content = journal.load().unwrap();
    assert_eq!(content.home, Some(home.clone()));
    assert_eq!(content.stored.links, [b"another end"]);
    assert!(content.stored.stores.is_empty() && content.stored.lost);
    assert_ne!(content.nonce, [0; 16]);
    journal.begin(2, b"opening".to_vec()).unwrap();
    journal.sync().unwrap();
    drop(journal);
    let content = open(&path).unwrap().load().unwrap();
    assert_eq!(content.home, Some(home));
    assert!(!content.stored.lost);
    assert!(!content.forgetful);
}

#[test]
fn evidence_is_kept_whatever_becomes_of_the_rest_and_the_oldest_goes_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agreement.redb");
    let mut journal = open(&path).unwrap();
    for number in 0..300u64 {
        journal.keep(number, number.to_le_bytes().to_vec()).unwrap();
    }
    let home = Home {
        cluster: 7,
        left: BTreeMap::new(),
    };
    journal.settle(home).unwrap();
    journal.sync().unwrap();
    drop(journal);
    let content = open(&path).unwrap().load().unwrap();
    let newest: Vec<(u64, Vec<u8>)> = (44..300u64)
        .map(|number| (number, number.to_le_bytes().to_vec()))
        .collect();
    assert_eq!(content.evidence, newest);
    assert!(!content.forgetful);
}
