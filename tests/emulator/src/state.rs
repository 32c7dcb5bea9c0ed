//! All that the emulator knows, behind one mutex ([`crate::server`]): every answer is a function of it, the time and
//! the request.

use std::collections::BTreeMap;
use std::io;

use crate::calls::Calls;
use crate::clock::Millis;
use crate::faults::Faults;
use crate::limiter::Limiter;
use crate::permissions::Permits;
use crate::region::{Place, Region};
use crate::settings::Settings;
use crate::store::Store;

pub(crate) struct State {
    pub(crate) settings: Settings,
    pub(crate) started: Millis,
    pub(crate) faults: Faults,
    pub(crate) calls: Calls,
    pub(crate) limiter: Limiter,
    pub(crate) permits: Permits,
    regions: BTreeMap<Place, Region>,
    store: Option<Store>,
}

impl State {
    /// The state at the start: empty, or what the data file says. The error is a sentence with the file's name.
    pub(crate) fn start(settings: Settings, now: Millis, permits: Permits) -> io::Result<Self> {
        let mut regions = BTreeMap::new();
        let store = match &settings.data {
            Some(path) => Some(Store::open(path, &mut regions)?),
            None => None,
        };
        Ok(Self {
            settings,
            started: now,
            faults: Faults::default(),
            calls: Calls::default(),
            limiter: Limiter::default(),
            permits,
            regions,
            store,
        })
    }

    /// The users and groups of a place as they are at `now`, beside the settings. A place that nobody asked for
    /// before has what AWS puts there.
    pub(crate) fn region(&mut self, place: &Place, now: Millis) -> (&mut Region, &Settings) {
        let region = self.regions.entry(place.clone()).or_insert_with(|| Region::new(place.clone()));
        region.settle(now);
        (region, &self.settings)
    }

    /// Writes what changed to the data file, where there is one. The error is a sentence; what could not be written
    /// is tried again with the next call.
    pub(crate) fn save(&mut self) -> Result<(), String> {
        for region in self.regions.values_mut().filter(|region| region.must_write()) {
            if let Some(store) = &mut self.store {
                store.append(&region.unwritten())?;
            }
            region.written();
        }
        if let Some(store) = self.store.as_mut().filter(|store| store.is_long()) {
            store.rewrite(self.regions.values())?;
        }
        Ok(())
    }
}
