//! What a kill leaves: all that was written; and a power cut: of everything since the last flush
//! any part, in any order.
//!
//! In a power cut, each sector that was written since keeps its old bytes or gets those of any of
//! the writes since, in units of 512 or 4096 bytes, or a write is cut at any byte; the length is the
//! flushed one or any later; names made, renamed or removed since their folder's last flush may not
//! be.

use std::collections::BTreeMap;

use super::{Content, Event, MemoryVolume, Names, Node};

/// Small dice with a seed that can be printed.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % sides
    }
}

/// A disk as events leave it: what is certainly on it, and what was done since the last flush.
#[derive(Debug, Clone, Default)]
pub struct Platter {
    files: Vec<File>,
    names: Names,
    pending_names: Vec<Event>,
    is_torn_anywhere: bool,
}

#[derive(Debug, Clone, Default)]
struct File {
    /// Writes are also cut at any byte, not at sectors alone.
    is_torn_anywhere: bool,
    flushed: Content,
    /// As it would be without a power cut.
    current: Content,
    pending: Vec<Event>,
}

impl Platter {
    /// A disk on which all that a volume has is flushed.
    pub fn of(volume: &MemoryVolume) -> Self {
        let (names, files) = volume.everything();
        let file = |content: Content| File {
            is_torn_anywhere: false,
            flushed: content.clone(),
            current: content,
            pending: Vec::new(),
        };
        Self { files: files.into_iter().map(file).collect(), names, ..Self::default() }
    }

    /// The same, on which writes are also cut at any byte, not at sectors alone.
    pub fn torn_anywhere(mut self) -> Self {
        self.is_torn_anywhere = true;
        self.files.iter_mut().for_each(|file| file.is_torn_anywhere = true);
        self
    }

    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Create { node, .. } => {
                if let Node::File(file) = node {
                    let is_torn_anywhere = self.is_torn_anywhere;
                    let count = (*file + 1).max(self.files.len());
                    self.files.resize_with(count, || File { is_torn_anywhere, ..File::default() });
                }
                self.pending_names.push(event.clone());
            }
            Event::Write { file, offset, bytes } => {
                let file = &mut self.files[*file];
                file.current.write(*offset, bytes);
                file.pending.push(event.clone());
            }
            Event::SetLen { file, len } => {
                let file = &mut self.files[*file];
                file.current.set_len(*len);
                file.pending.push(event.clone());
            }
            Event::Sync { file } => {
                let file = &mut self.files[*file];
                file.flushed = file.current.clone();
                file.pending.clear();
            }
            Event::Rename { .. } | Event::Remove { .. } => self.pending_names.push(event.clone()),
            Event::SyncNames { folder } => {
                let all = std::mem::take(&mut self.pending_names);
                let (synced, rest): (Vec<_>, Vec<_>) =
                    all.into_iter().partition(|event| folder_of(event) == *folder);
                self.pending_names = rest;
                for event in synced {
                    apply_name(&mut self.names, &event);
                }
            }
            Event::Promised(_) => {}
        }
    }

    /// What a kill at this moment leaves: all that was written, flushed or not, in a system that
    /// runs on. A write that is under way may be cut at any byte.
    pub fn kill(&self, under_way: Option<&Event>, dice: &mut Dice) -> MemoryVolume {
        let mut names = self.names.clone();
        self.pending_names.iter().for_each(|event| apply_name(&mut names, event));
        let mut files: Vec<Content> = self.files.iter().map(|file| file.current.clone()).collect();
        if let Some(Event::Write { file, offset, bytes }) = under_way {
            files[*file].write(*offset, &bytes[..dice.roll(bytes.len() + 1)]);
        }
        MemoryVolume::with_names(names, files).of_the_first_start()
    }

    /// One outcome of a power cut at this moment.
    pub fn cut(&self, dice: &mut Dice) -> MemoryVolume {
        let mut names = self.names.clone();
        // Names of a folder change in order, and any number of the changes may have been kept.
        let mut folders: Vec<usize> = self.pending_names.iter().map(folder_of).collect();
        folders.sort_unstable();
        folders.dedup();
        for folder in folders {
            let own: Vec<&Event> =
                self.pending_names.iter().filter(|event| folder_of(event) == folder).collect();
            for event in &own[..dice.roll(own.len() + 1)] {
                apply_name(&mut names, event);
            }
        }
        let mut cut: BTreeMap<usize, Content> = BTreeMap::new();
        for node in names.values() {
            if let Node::File(file) = node {
                cut.entry(*file).or_insert_with(|| self.files[*file].cut(dice));
            }
        }
        let files = (0..self.files.len()).map(|file| cut.remove(&file).unwrap_or_default());
        MemoryVolume::with_names(names, files.collect())
    }
}

fn folder_of(event: &Event) -> usize {
    match event {
        Event::Create { folder, .. }
        | Event::Rename { folder, .. }
        | Event::Remove { folder, .. } => *folder,
        _ => unreachable!("only changes of names are kept back"),
    }
}

fn apply_name(names: &mut Names, event: &Event) {
    match event {
        Event::Create { folder, name, node } => {
            names.insert((*folder, name.clone()), *node);
        }
        Event::Rename { folder, from, to } => {
            if let Some(node) = names.remove(&(*folder, from.clone())) {
                names.insert((*folder, to.clone()), node);
            }
        }
        Event::Remove { folder, name } => {
            names.remove(&(*folder, name.clone()));
        }
        _ => {}
    }
}

impl File {
    fn cut(&self, dice: &mut Dice) -> Content {
        let mut content = self.flushed.clone();
        let lens = |event: &Event| match event {
            Event::SetLen { len, .. } => Some(*len),
            _ => None,
        };
        let mut lengths = vec![content.len()];
        lengths.extend(self.pending.iter().filter_map(lens));
        let length = lengths[dice.roll(lengths.len())];
        // How much of what was written is kept: nothing, about all, or a coin for each sector.
        let (keep, of) = [(0, 1), (1, 2), (1, 2), (7, 8), (1, 8), (1, 1)][dice.roll(6)];
        let sector = [512, 4096][dice.roll(2)];
        let cuts_anywhere = self.is_torn_anywhere && dice.roll(3) == 0;
        // In any order, so that an early write may win over a later one.
        let mut order: Vec<usize> = (0..self.pending.len()).collect();
        if dice.roll(2) == 0 {
            for at in (1..order.len()).rev() {
                order.swap(at, dice.roll(at + 1));
            }
        }
        let longest = lengths.into_iter().max().unwrap_or(0);
        content.set_len(longest);
        for number in order {
            let Event::Write { offset, bytes, .. } = &self.pending[number] else { continue };
            if cuts_anywhere && dice.roll(of) < keep {
                let cut = dice.roll(bytes.len() + 1);
                let (from, to) = if dice.roll(2) == 0 { (0, cut) } else { (cut, bytes.len()) };
                if offset + to as u64 <= longest {
                    content.write(offset + from as u64, &bytes[from..to]);
                }
                continue;
            }
            for (at, part) in by_sector(*offset, bytes, sector) {
                if dice.roll(of) < keep && at + part.len() as u64 <= longest {
                    content.write(at, part);
                }
            }
        }
        content.set_len(length);
        content
    }
}

/// The parts of a write as the disk has its sectors, which need not begin where the write does.
fn by_sector(offset: u64, bytes: &[u8], sector: usize) -> impl Iterator<Item = (u64, &[u8])> {
    let to_boundary = sector - (offset % sector as u64) as usize;
    let (first, rest) = bytes.split_at(to_boundary.min(bytes.len()));
    let rest_at = offset + first.len() as u64;
    let parts = rest.chunks(sector).enumerate();
    std::iter::once((offset, first))
        .chain(parts.map(move |(index, part)| (rest_at + (index * sector) as u64, part)))
}
